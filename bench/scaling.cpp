/// How does the cost grow? A curve each: more workers than cores, more tasks, more producers.
///
/// Heddle beside the naive pool. `scaling_workers`: 200,000 futures with 1 to 64 workers.
/// `scaling_tasks`: 10 to 10,000,000 posts. `scaling_producers`: 1 to 8 threads post 500,000.
/// `scaling_waits`: CPU time of tasks that only sleep, with 1 to 256 workers.
#include "peers/heddle.hpp"
#include "peers/naive.hpp"
#include "support.hpp"

#include <ctime>
#include <latch>

namespace {

template <class Pool>
void by_workers(benchmark::State& state, int workers) {
    constexpr int tasks = 200'000;
    Pool pool(workers);
    std::vector<decltype(pool.submit([] { return 0; }))> futures;
    futures.reserve(tasks);
    std::int64_t sum = 0;
    const auto once = [&] {
        for (int i = 0; i < tasks; ++i) futures.push_back(pool.submit([i] { return i; }));
        for (auto& f : futures) sum += Pool::get(f);
        futures.clear();
    };
    once();
    for (auto _ : state) once();
    benchmark::DoNotOptimize(sum);
    bench::set_items(state, tasks);
}

template <class Pool>
void by_tasks(benchmark::State& state, int tasks) {
    Pool pool(bench::workers);
    const auto once = [&] {
        const std::uint64_t before = bench::tally::total();
        for (int i = 0; i < tasks; ++i) pool.post([] { bench::tally::add(); });
        bench::tally::wait_for(before + static_cast<std::uint64_t>(tasks));
    };
    once();
    for (auto _ : state) once();
    bench::set_items(state, tasks);
}

template <class Pool>
void by_producers(benchmark::State& state, int producers) {
    constexpr int tasks = 500'000;
    const int each = tasks / producers;
    Pool pool(bench::workers);
    for (auto _ : state) {
        state.PauseTiming();
        const std::uint64_t before = bench::tally::total();
        std::latch start(1);
        std::vector<std::thread> threads;
        for (int k = 0; k < producers; ++k) {
            threads.emplace_back([&] {
                start.wait();
                for (int i = 0; i < each; ++i) pool.post([] { bench::tally::add(); });
            });
        }
        state.ResumeTiming();
        start.count_down();
        for (std::thread& t : threads) t.join();
        bench::tally::wait_for(before + static_cast<std::uint64_t>(producers * each));
    }
    bench::set_items(state, producers * each);
}

template <class Pool>
void by_waits(benchmark::State& state, int workers) {
    const int tasks = 20 * workers;
    Pool pool(workers);
    std::vector<decltype(pool.submit([] { return 0; }))> futures;
    futures.reserve(static_cast<std::size_t>(tasks));
    double cpu = 0;
    for (auto _ : state) {
        const std::clock_t before = std::clock();
        for (int i = 0; i < tasks; ++i) {
            futures.push_back(pool.submit([] {
                std::this_thread::sleep_for(std::chrono::milliseconds(2));
                return 0;
            }));
        }
        for (auto& f : futures) benchmark::DoNotOptimize(Pool::get(f));
        futures.clear();
        cpu += static_cast<double>(std::clock() - before) * 1e6 / CLOCKS_PER_SEC;
    }
    state.counters["value"] = cpu / static_cast<double>(state.iterations()) / tasks;
    bench::set_items(state, tasks);
}

template <class Pool>
void add_all() {
    const auto add = [](const std::string& question, auto measure, int x, int rounds = 1) {
        const auto at_x = [=](benchmark::State& state) { measure(state, x); };
        bench::add(question, std::string(Pool::name) + '/' + std::to_string(x), at_x, rounds);
    };
    for (const int x : {1, 2, 4, 8, 16, 32, 64}) add("scaling_workers", &by_workers<Pool>, x);
    for (int x = 10; x <= 10'000'000; x *= 10) {
        add("scaling_tasks", &by_tasks<Pool>, x, x < 100'000 ? 100'000 / x : 1);
    }
    for (int x = 1; x <= 256; x *= 4) add("scaling_waits", &by_waits<Pool>, x);
    for (const int x : {1, 2, 3, 4, 6, 8}) add("scaling_producers", &by_producers<Pool>, x);
}

} // namespace

int main(int argc, char** argv) {
    add_all<bench::heddle_pool>();
    add_all<bench::naive_pool>();
    return bench::run(argc, argv);
}
