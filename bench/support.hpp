/// What the benchmarks share: how a measurement is registered and run, and how a program learns
/// that all it has posted has run without becoming the work itself.
#pragma once

#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace bench {

/// How many workers every pool has, beside the thread that measures.
inline constexpr int workers = 2;

using clock = std::chrono::steady_clock;

/// Counts tasks that have run, in one counter a thread: about 1 ns, and no shared cache line.
///
/// Thread safety: all members may be called from any thread. Lifetime: static.
class tally {
public:
    static void add() noexcept {
        if (!mine_) mine_ = claim();
        // relaxed: one writer; the reader needs no other data.
        mine_->value.store(mine_->value.load(std::memory_order_relaxed) + 1,
                           std::memory_order_relaxed);
    }
    static std::uint64_t total() noexcept {
        const registry& all = threads();
        std::lock_guard lock(all.mutex);
        std::uint64_t sum = 0;
        // relaxed: as in add().
        for (const auto& each : all.slots) sum += each->value.load(std::memory_order_relaxed);
        return sum;
    }
    /// Waits until `total()` is `wanted`, asleep most of the time: whoever spins here takes a core
    /// from the pool, and the counters' cache lines from its workers.
    static void wait_for(std::uint64_t wanted) {
        while (total() != wanted) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }

private:
    struct alignas(128) slot {
        /// Protocol: written by the thread it belongs to, summed by anybody.
        std::atomic<std::uint64_t> value{0};
    };
    struct registry {
        mutable std::mutex mutex;
        std::vector<std::unique_ptr<slot>> slots;
    };
    static registry& threads() noexcept {
        static registry all;
        return all;
    }
    static slot* claim() {
        registry& all = threads();
        std::lock_guard lock(all.mutex);
        return all.slots.emplace_back(std::make_unique<slot>()).get();
    }
    static inline constinit thread_local slot* mine_ = nullptr;
};

/// Threads that keep every core busy for as long as it lives.
class busy_cores {
public:
    busy_cores() {
        for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
            threads_.emplace_back([this] {
                while (!stop_.load(std::memory_order_relaxed)) { // a flag; no data with it
                    std::uint64_t sum = 0;
                    for (std::uint64_t k = 0; k < 1000; ++k) benchmark::DoNotOptimize(sum += k);
                }
            });
        }
    }
    ~busy_cores() {
        stop_ = true;
        for (std::thread& t : threads_) t.join();
    }
    busy_cores(const busy_cores&) = delete;
    busy_cores& operator=(const busy_cores&) = delete;

private:
    /// Protocol: set once, by the destructor.
    std::atomic<bool> stop_{false};
    std::vector<std::thread> threads_;
};

/// Registers `measure(state)` as "QUESTION/WHO", run `rounds` times a repetition: wall time, and
/// the CPU time of the whole process.
template <class Measure>
auto* add(const std::string& question,
          const std::string& who,
          Measure measure,
          benchmark::IterationCount rounds = 1) {
    return benchmark::RegisterBenchmark((question + '/' + who).c_str(), std::move(measure))
        ->Iterations(rounds)
        ->UseRealTime()
        ->MeasureProcessCPUTime();
}

/// Says how many items one round handles; run.py divides by it.
inline void set_items(benchmark::State& state, std::int64_t items) {
    state.counters["items"] = static_cast<double>(items);
}

/// Runs what was registered: 9 repetitions of each, shuffled, unless the arguments say otherwise.
inline int run(int argc, char** argv) {
    // As long as a process has one thread only, glibc's mutexes do without atomic operations.
    std::latch end(1);
    const std::jthread second([&end] { end.wait(); });
    std::string repetitions = "--benchmark_repetitions=9";
    std::string interleaved = "--benchmark_enable_random_interleaving=true";
    std::vector<char*> arguments{argv[0], repetitions.data(), interleaved.data()};
    arguments.insert(arguments.end(), argv + 1, argv + argc);
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
    const bool understood = !benchmark::ReportUnrecognizedArguments(count, arguments.data());
    if (understood) benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    end.count_down();
    return understood ? 0 : 2;
}

} // namespace bench
