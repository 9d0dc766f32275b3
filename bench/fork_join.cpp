/// What does a spawn cost in recursive fork-join? fib(30) without a cut-off: 1.3 million spawns,
/// each of one call's work.
///
/// Two threads compute: Heddle's workers, while the caller sleeps; elsewhere the caller and one
/// worker. The naive pool, Asio's and any other without help in a wait would hang.
#include "peers/heddle.hpp"
#include "support.hpp"

#if HEDDLE_BENCH_TBB
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#endif

namespace {

constexpr int depth = 30;
constexpr int expected = 832'040;
constexpr std::int64_t spawns = 1'346'268; // calls with n > 1: one spawn each

/// Runs `compute` once untimed, then once a round; `compute` returns fib(depth).
template <class Compute>
void measure(benchmark::State& state, Compute compute) {
    bool right = compute() == expected;
    for (auto _ : state) right = right && compute() == expected;
    if (!right) state.SkipWithError("fib(30) came out wrong");
    bench::set_items(state, spawns);
}

int nested(heddle::thread_pool& pool, int n) {
    if (n < 2) return n;
    auto left = pool.submit([&pool, n] { return nested(pool, n - 1); });
    const int right = nested(pool, n - 2);
    return std::move(left).result() + right;
}
void measure_nested(benchmark::State& state) {
    heddle::thread_pool pool(bench::workers);
    measure(state, [&] { return pool.submit([&] { return nested(pool, depth); }).result(); });
}

int serial(int n) {
    if (n < 2) return n;
    int left = serial(n - 1);
    benchmark::DoNotOptimize(left);
    return left + serial(n - 2);
}
void measure_serial(benchmark::State& state) {
    measure(state, [] { return serial(depth); });
}

#if HEDDLE_BENCH_TBB
int tbb_fib(int n) {
    if (n < 2) return n;
    int left = 0;
    tbb::task_group group;
    group.run([&left, n] { left = tbb_fib(n - 1); });
    const int right = tbb_fib(n - 2);
    group.wait();
    return left + right;
}
void measure_tbb(benchmark::State& state) {
    const tbb::global_control allowed(tbb::global_control::max_allowed_parallelism, bench::workers);
    tbb::task_arena arena(bench::workers, 1);
    measure(state, [&] { return arena.execute([] { return tbb_fib(depth); }); });
}
#endif

#if HEDDLE_BENCH_OPENMP
int openmp_fib(int n) {
    if (n < 2) return n;
    int left = 0;
#pragma omp task shared(left)
    left = openmp_fib(n - 1);
    const int right = openmp_fib(n - 2);
#pragma omp taskwait
    return left + right;
}
void measure_openmp(benchmark::State& state) {
    measure(state, [] {
        int result = 0;
#pragma omp parallel num_threads(bench::workers)
#pragma omp single
        result = openmp_fib(depth);
        return result;
    });
}
#endif

} // namespace

int main(int argc, char** argv) {
    bench::add("fork_join_futures", "heddle", measure_nested);
    for (const char* question : {"fork_join_futures", "fork_join"}) {
        bench::add(question, "serial", measure_serial);
#if HEDDLE_BENCH_TBB
        bench::add(question, "tbb_group", measure_tbb);
#endif
#if HEDDLE_BENCH_OPENMP
        bench::add(question, "openmp", measure_openmp);
#endif
    }
    return bench::run(argc, argv);
}
