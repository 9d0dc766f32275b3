// Lesson: a race condition, and four cures. 1,000 tasks run on 5 threads; half of them add 1 to a
// counter 10,000 times, the other half -1. The counter should end at 0.
//
//   race [THREADS] [--mode unsafe|lock|atomic|guarded|combine]      (default: 5, unsafe)
//
// What to notice: `unsafe` ends wrong although no addition is left out: 10,000,000 are made, as
// many up as down. They get lost when a thread reads the counter, works on its own copy, and
// writes that over what others have written meanwhile. Left to chance, this shows now and then;
// here barriers make it show in every run, so regularly that we can say beforehand by how much.
// The other modes are right, at different cost: compare their times.
#include <heddle/barrier.hpp>
#include <heddle/guarded.hpp>
#include <heddle/local.hpp>
#include <heddle/print.hpp>
#include <heddle/thread_pool.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <numeric>
#include <ranges>
#include <string>
#include <vector>

constexpr int tasks = 1'000;
constexpr int times = 10'000;

std::vector<int> alternating() {
    std::vector<int> amounts;
    for (int i = 0; i < tasks; ++i) amounts.push_back(i % 2 != 0 ? -1 : 1);
    return amounts;
}
const std::vector<int> data = alternating();

/// Which thread made how many additions of which amount. `local` holds one value a thread.
heddle::local<std::map<int, long>> iterations;

long unsafe(heddle::thread_pool& pool) {
    // Atomic only because C++ leaves undefined what happens to a plain int here; each read and
    // each write is sound by itself, and the gap between them is as wide as it was.
    std::atomic<int> counter = 0;
    const int threads = pool.worker_count();
    heddle::barrier full_round(threads), last_round(std::max(1, tasks % threads));

    auto cached = [&](int task, int amount) {
        heddle::barrier& all = task < tasks - tasks % threads ? full_round : last_round;
        int local_counter = counter;
        all.wait(); // everybody has read the same value
        for (int i = 0; i < times; ++i) local_counter += amount;
        iterations.get()[amount] += times;
        if (amount < 0) counter = local_counter;
        all.wait(); // everybody who counts down has written
        if (amount > 0) counter = local_counter;
        all.wait(); // everybody who counts up has written, over the others
    };
    pool.map({.chunk_size = 1}, cached, std::views::iota(0, tasks), data).collect();
    return counter;
}

/// What the order that `unsafe` forces leads to: the last to write in a round counts up, if one
/// in the round does, and nothing else of the round is left.
long predicted(int threads) {
    long counter = 0;
    for (int first = 0; first < tasks; first += threads) {
        const auto round = data.begin() + first;
        counter += times * *std::max_element(round, round + std::min(threads, tasks - first));
    }
    return counter;
}

/// Runs the tasks of all modes that add each time to a counter which the threads share.
template <class Add>
void change_counter(heddle::thread_pool& pool, Add add) {
    auto task = [&](int amount) {
        for (int i = 0; i < times; ++i) add(amount);
        iterations.get()[amount] += times;
    };
    pool.map(task, data).collect();
}

long with_lock(heddle::thread_pool& pool) {
    long counter = 0;
    std::mutex lock;
    change_counter(pool, [&](int amount) {
        const std::lock_guard held(lock);
        counter += amount;
    });
    return counter;
}

long with_atomic(heddle::thread_pool& pool) {
    std::atomic<long> counter = 0;
    change_counter(pool, [&](int amount) { counter += amount; }); // read, add, write in one step
    return counter;
}

long with_guarded(heddle::thread_pool& pool) {
    heddle::guarded<long> guarded(0); // no way to the value but through its lock
    change_counter(pool,
                   [&](int amount) { guarded.with([&](long& counter) { counter += amount; }); });
    return guarded.get();
}

long combine(heddle::thread_pool& pool) {
    auto count = [](int amount) { // shares nothing: returns what it counted
        long own = 0;
        for (int i = 0; i < times; ++i) own += amount;
        iterations.get()[amount] += times;
        return own;
    };
    const std::vector<long> counted = pool.map(count, data).collect();
    return std::accumulate(counted.begin(), counted.end(), 0L);
}

const std::map<std::string, long (*)(heddle::thread_pool&)> modes = {{"unsafe", unsafe},
                                                                     {"lock", with_lock},
                                                                     {"atomic", with_atomic},
                                                                     {"guarded", with_guarded},
                                                                     {"combine", combine}};

int main(int argc, char** argv) {
    std::string mode = "unsafe";
    int threads = 5;
    for (int i = 1; i < argc; ++i) {
        if (std::string(argv[i]) == "--mode" && i + 1 < argc) mode = argv[++i];
        else threads = std::atoi(argv[i]);
    }
    if (!modes.contains(mode) || threads < 1 || threads > tasks) {
        std::fputs("usage: race [THREADS] [--mode unsafe|lock|atomic|guarded|combine], "
                   "THREADS from 1 to 1000\n",
                   stderr);
        return 2;
    }
    heddle::thread_pool pool(threads);
    const long counter = modes.at(mode)(pool);

    long total = 0, delta = 0;
    iterations.for_each([&](const std::map<int, long>& of_thread) {
        std::fputs("a thread made", stderr);
        for (const auto& [amount, count] : of_thread) {
            std::fprintf(stderr, "  %ld additions of %d", count, amount);
            total += count;
            delta += count * amount;
        }
        std::fputs("\n", stderr);
    });
    heddle::print("total iterations (1,000 x 10,000):", total);
    heddle::print("delta (positive iterations - negative iterations):", delta);
    if (mode == "unsafe") heddle::print("predicted from the order:", predicted(threads));
    heddle::print("threads:", threads, "counter:", counter, "should be: 0");
}
