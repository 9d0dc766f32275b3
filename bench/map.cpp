/// What does an ordered map over items of 1 µs cost, beyond the items themselves?
///
/// 50,000 items; the figure is CPU time an item less that of a serial loop. `map_each`: one task an
/// item; the peers submit a future an item and take the results in order. `map_chunked`: as the
/// library chooses; oneTBB's and OpenMP's parallel loops write into an array, and their caller
/// works along.
#include "peers/all.hpp"
#include "support.hpp"

#include <numeric>
#include <ranges>

#if HEDDLE_BENCH_TBB
#include <oneapi/tbb/parallel_for.h>
#endif

namespace {

constexpr int items = 50'000;
int item_rounds = 500; // set by calibrate()

[[gnu::noinline]] std::uint64_t work(std::uint64_t x) {
    for (int i = 0; i < item_rounds; ++i) {
        benchmark::DoNotOptimize(x = x * 6364136223846793005u + 1442695040888963407u);
    }
    return x;
}

/// Sets item_rounds so that an item takes 1 µs, going by the fastest of several tries.
void calibrate() {
    double best = 1e9;
    for (int tries = 0; tries < 50; ++tries) {
        const auto start = bench::clock::now();
        for (int i = 0; i < 100; ++i) work(1);
        const std::chrono::duration<double, std::micro> spent = bench::clock::now() - start;
        best = std::min(best, spent.count() / 100);
    }
    item_rounds = static_cast<int>(item_rounds / best);
}

template <class Once>
void measure(benchmark::State& state, Once once) {
    std::uint64_t sum = once();
    for (auto _ : state) sum += once();
    benchmark::DoNotOptimize(sum);
    bench::set_items(state, items);
}

void measure_serial(benchmark::State& state) {
    measure(state, [] {
        std::uint64_t sum = 0;
        for (int i = 0; i < items; ++i) sum += work(static_cast<std::uint64_t>(i));
        return sum;
    });
}

void measure_heddle(benchmark::State& state, std::size_t chunk_size) {
    heddle::thread_pool pool(bench::workers);
    measure(state, [&] {
        const auto inputs = std::views::iota(std::uint64_t{0}, std::uint64_t{items});
        std::uint64_t sum = 0;
        for (const std::uint64_t r : pool.map({.chunk_size = chunk_size}, work, inputs)) sum += r;
        return sum;
    });
}

template <class Pool>
void measure_futures(benchmark::State& state) {
    Pool pool(bench::workers);
    measure(state, [&] {
        std::vector<decltype(pool.submit([] { return std::uint64_t{0}; }))> futures;
        futures.reserve(items);
        for (std::uint64_t i = 0; i < items; ++i) {
            futures.push_back(pool.submit([i] { return work(i); }));
        }
        std::uint64_t sum = 0;
        for (auto& f : futures) sum += Pool::get(f);
        return sum;
    });
}

#if HEDDLE_BENCH_TBB
void measure_tbb(benchmark::State& state) {
    tbb::task_arena arena(bench::workers, 1);
    measure(state, [&] {
        std::vector<std::uint64_t> results(items);
        arena.execute([&] {
            tbb::parallel_for(
                std::size_t{0}, results.size(), [&](std::size_t i) { results[i] = work(i); });
        });
        return std::accumulate(results.begin(), results.end(), std::uint64_t{0});
    });
}
#endif

#if HEDDLE_BENCH_OPENMP
void measure_openmp(benchmark::State& state) {
    measure(state, [] {
        std::vector<std::uint64_t> results(items);
#pragma omp parallel for num_threads(bench::workers)
        for (std::size_t i = 0; i < items; ++i) results[i] = work(i);
        return std::accumulate(results.begin(), results.end(), std::uint64_t{0});
    });
}
#endif

} // namespace

int main(int argc, char** argv) {
    calibrate();
    bench::add("map_each", "serial", measure_serial);
    bench::add("map_each", "heddle", [](benchmark::State& state) { measure_heddle(state, 1); });
    bench::for_each_pool([]<class Pool>() {
        if constexpr (!std::is_same_v<Pool, bench::heddle_pool>) {
            bench::add("map_each", Pool::name, &measure_futures<Pool>);
        }
    });
    bench::add("map_chunked", "serial", measure_serial);
    bench::add("map_chunked", "heddle", [](benchmark::State& state) { measure_heddle(state, 0); });
#if HEDDLE_BENCH_TBB
    bench::add("map_chunked", "tbb_for", measure_tbb);
#endif
#if HEDDLE_BENCH_OPENMP
    bench::add("map_chunked", "openmp", measure_openmp);
#endif
    return bench::run(argc, argv);
}
