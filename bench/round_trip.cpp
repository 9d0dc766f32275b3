/// How long does one task take from submit to its result, when nothing else is going on?
///
/// `round_trip`: one after the other. `round_trip_busy`: the same while a spinning thread a core
/// competes. `round_trip_cold`: 1 ms of sleep before each; only the trip counts as wall time, all
/// of it as CPU time. Nobody runs the task in the thread that waits. `machine` is what the two cost
/// without any pool: a word that goes to another core and one that comes back; a thread that is
/// woken, answers, and wakes the first, which slept too.
#include "peers/all.hpp"
#include "support.hpp"

#include <heddle/detail/parking.hpp>

#include <sched.h>

#include <cstdint>
#include <future>
#include <thread>

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

/// Two threads that answer each other: each on a core of its own and spinning, or both asleep
/// until they are woken, where the kernel likes to have them.
///
/// Protocol: each word has one writer, counts the trips, and carries no data.
class echo {
public:
    explicit echo(bool asleep) : asleep_(asleep) {
        if (!asleep_) run_on_core(0);
        answers_ = std::jthread([this](const std::stop_token& stop) {
            if (!asleep_) run_on_core(1);
            for (std::uint32_t next = 1; await(there_, next), !stop.stop_requested(); ++next) {
                say(back_, next);
            }
        });
    }
    ~echo() {
        answers_.request_stop();
        say(there_, ++trips_);
        answers_.join();
        sched_setaffinity(0, sizeof before_, &before_);
    }
    echo(const echo&) = delete;
    echo& operator=(const echo&) = delete;

    void trip() {
        say(there_, ++trips_);
        await(back_, trips_);
    }

private:
    using word = heddle::detail::atomic<std::uint32_t>;

    void say(word& to, std::uint32_t what) const {
        // release: as the words of a pool, which publish; pairs with the acquire in await().
        to.store(what, std::memory_order_release);
        if (asleep_) heddle::detail::futex_wake(&to, 1);
    }
    void await(word& from, std::uint32_t what) const {
        // acquire: pairs with the release in say().
        while (from.load(std::memory_order_acquire) != what) {
            if (asleep_)
                heddle::detail::futex_wait(from, what - 1, heddle::detail::deadline::never());
            else heddle::detail::pause();
        }
    }
    void run_on_core(int which) const {
        for (int core = 0; core < CPU_SETSIZE; ++core) {
            if (!CPU_ISSET(core, &before_) || which-- != 0) continue;
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(core, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
    static cpu_set_t allowed() {
        cpu_set_t all;
        sched_getaffinity(0, sizeof all, &all);
        return all;
    }

    const cpu_set_t before_ = allowed();
    const bool asleep_;
    std::uint32_t trips_ = 0;
    alignas(128) word there_{0};
    alignas(128) word back_{0};
    std::jthread answers_;
};

void machine_warm(benchmark::State& state) {
    echo other(false);
    for (auto _ : state) other.trip();
    bench::set_items(state, 1);
}

void machine_cold(benchmark::State& state) {
    echo other(true);
    for (auto _ : state) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        const auto start = bench::clock::now();
        other.trip();
        state.SetIterationTime(std::chrono::duration<double>(bench::clock::now() - start).count());
    }
    bench::set_items(state, 1);
}

void add_cold(const char* who, void (*measure)(benchmark::State&)) {
    benchmark::RegisterBenchmark((std::string("round_trip_cold/") + who).c_str(), measure)
        ->Iterations(100)
        ->UseManualTime()
        ->MeasureProcessCPUTime();
}

template <class Pool>
void add_all(int divisor = 1) {
    bench::add("round_trip", Pool::name, &warm<Pool>, 5'000 / divisor);
    bench::add("round_trip_busy", Pool::name, &busy<Pool>, 1'000 / divisor);
    add_cold(Pool::name, &cold<Pool>);
}

} // namespace

int main(int argc, char** argv) {
    bench::for_each_pool([]<class Pool>() { add_all<Pool>(); });
    add_all<std_async>(10);
    if (std::thread::hardware_concurrency() > 1) {
        bench::add("round_trip", "machine", &machine_warm, 5'000);
        add_cold("machine", &machine_cold);
    }
    return bench::run(argc, argv);
}
