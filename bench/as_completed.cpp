/// What does it cost to handle results as they finish, and does it grow with their number?
///
/// `as_completed`: submit n futures, then take each as it finishes. The peers have no such thing,
/// so there each task puts its number into a queue when it is done: a mutex and a condition
/// variable for the naive pool, moodycamel's queue for its pool. `wait_first`: one
/// wait(first_completed) over n futures, of which the first one finishes.
#include "peers/all.hpp"
#include "support.hpp"

#include <heddle/promise.hpp>
#include <heddle/wait.hpp>

#include <condition_variable>
#include <deque>

namespace {

constexpr int sizes[] = {1'000, 10'000, 100'000, 1'000'000};

void measure_heddle(benchmark::State& state, int count) {
    heddle::thread_pool pool(bench::workers);
    std::vector<heddle::future<int>> futures;
    futures.reserve(static_cast<std::size_t>(count));
    std::int64_t sum = 0;
    const auto once = [&] {
        for (int i = 0; i < count; ++i) futures.push_back(pool.submit([i] { return i; }));
        for (auto& f : heddle::as_completed(futures)) sum += f.result();
        futures.clear();
    };
    once();
    for (auto _ : state) once();
    benchmark::DoNotOptimize(sum);
    bench::set_items(state, count);
}

class mutex_queue {
public:
    void put(int i) {
        {
            std::lock_guard lock(mutex_);
            items_.push_back(i);
        }
        changed_.notify_one();
    }
    int get() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !items_.empty(); });
        const int i = items_.front();
        items_.pop_front();
        return i;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<int> items_;
};

#if HEDDLE_BENCH_MOODYCAMEL
class moodycamel_queue {
public:
    void put(int i) { items_.enqueue(i); }
    int get() {
        int i = 0;
        items_.wait_dequeue(i);
        return i;
    }

private:
    moodycamel::BlockingConcurrentQueue<int> items_;
};
#endif

template <class Pool, class Queue>
void measure_queue(benchmark::State& state, int count) {
    Pool pool(bench::workers);
    Queue finished;
    std::vector<decltype(pool.submit([] { return 0; }))> futures;
    futures.reserve(static_cast<std::size_t>(count));
    std::int64_t sum = 0;
    const auto once = [&] {
        for (int i = 0; i < count; ++i) {
            futures.push_back(pool.submit([i, &finished] {
                finished.put(i);
                return i;
            }));
        }
        for (int i = 0; i < count; ++i) {
            sum += Pool::get(futures[static_cast<std::size_t>(finished.get())]);
        }
        futures.clear();
    };
    once();
    for (auto _ : state) once();
    benchmark::DoNotOptimize(sum);
    bench::set_items(state, count);
}

void measure_wait_first(benchmark::State& state, int count) {
    for (auto _ : state) {
        state.PauseTiming();
        std::vector<heddle::promise<int>> promises(static_cast<std::size_t>(count));
        std::vector<heddle::future<int>> futures;
        for (auto& p : promises) futures.push_back(p.get_future());
        std::thread finisher([&] { promises.front().set_value(1); });
        state.ResumeTiming();
        const auto found = heddle::wait(futures, {.until = heddle::return_when::first_completed});
        state.PauseTiming();
        finisher.join();
        if (found.done.empty()) state.SkipWithError("nothing was done");
        for (auto& p : promises) {
            if (&p != &promises.front()) p.set_value(0);
        }
        state.ResumeTiming();
    }
    bench::set_items(state, count);
}

} // namespace

int main(int argc, char** argv) {
    for (const int count : sizes) {
        const benchmark::IterationCount rounds = 1'000'000 / count > 10 ? 10 : 1;
        const std::string size = '/' + std::to_string(count);
        const auto add = [&](const std::string& who, auto measure) {
            const auto with_count = [=](benchmark::State& state) { measure(state, count); };
            bench::add("as_completed", who + size, with_count, rounds);
        };
        add("heddle", &measure_heddle);
        add("naive", &measure_queue<bench::naive_pool, mutex_queue>);
#if HEDDLE_BENCH_MOODYCAMEL
        add("moodycamel", &measure_queue<bench::moodycamel_pool, moodycamel_queue>);
#endif
        const auto first = [=](benchmark::State& state) { measure_wait_first(state, count); };
        bench::add("wait_first", "heddle" + size, first, rounds);
    }
    return bench::run(argc, argv);
}
