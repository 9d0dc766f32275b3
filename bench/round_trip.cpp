/// How long does one task take from submit to its result, when nothing else is going on?
///
/// `round_trip`: one after the other. `round_trip_busy`: the same while a spinning thread a core
/// competes. `round_trip_cold`: 1 ms of sleep before each; only the trip counts as wall time, all
/// of it as CPU time. Nobody runs the task in the thread that waits.
#include "peers/all.hpp"
#include "support.hpp"

#include <future>

namespace {

struct std_async {
    static constexpr const char* name = "async";
    explicit std_async(int) {}
    template <class F>
    auto submit(F f) {
        return std::async(std::launch::async, std::move(f));
    }
    template <class T>
    static T get(std::future<T>& f) {
        return f.get();
    }
};

template <class Pool>
void trip(Pool& pool) {
    auto f = pool.submit([] { return 1; });
    benchmark::DoNotOptimize(Pool::get(f));
}

template <class Pool>
void warm(benchmark::State& state) {
    Pool pool(bench::workers);
    for (int i = 0; i < 100; ++i) trip(pool);
    for (auto _ : state) trip(pool);
    bench::set_items(state, 1);
}

template <class Pool>
void busy(benchmark::State& state) {
    const bench::busy_cores load;
    warm<Pool>(state);
}

template <class Pool>
void cold(benchmark::State& state) {
    Pool pool(bench::workers);
    trip(pool);
    for (auto _ : state) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        const auto start = bench::clock::now();
        trip(pool);
        state.SetIterationTime(std::chrono::duration<double>(bench::clock::now() - start).count());
    }
    bench::set_items(state, 1);
}

template <class Pool>
void add_all(int divisor = 1) {
    bench::add("round_trip", Pool::name, &warm<Pool>, 5'000 / divisor);
    bench::add("round_trip_busy", Pool::name, &busy<Pool>, 1'000 / divisor);
    benchmark::RegisterBenchmark((std::string("round_trip_cold/") + Pool::name).c_str(),
                                 &cold<Pool>)
        ->Iterations(100)
        ->UseManualTime()
        ->MeasureProcessCPUTime();
}

} // namespace

int main(int argc, char** argv) {
    bench::for_each_pool([]<class Pool>() { add_all<Pool>(); });
    add_all<std_async>(10);
    return bench::run(argc, argv);
}
