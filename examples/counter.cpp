// Lesson: shared state is the catch. Four threads count to 100,000 each: with no lock, with a
// lock, and without sharing anything.
//
// What to notice: with no lock, a thread that works on its own copy of the counter writes over
// what the others have counted. The barrier makes all four read before any of them writes, so
// that this happens in every run and not only on a bad day. The lock is right, but every thread
// queues for it 100,000 times. Best is to share nothing: each task returns what it counted, and
// the main thread adds that up.
#include <heddle/barrier.hpp>
#include <heddle/print.hpp>
#include <heddle/thread.hpp>
#include <heddle/thread_pool.hpp>

#include <atomic>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

constexpr int threads = 4;
constexpr int times = 100'000;

int without_lock() {
    std::atomic<int> counter = 0; // atomic only because C++ forbids two threads on a plain int
    heddle::barrier all_have_read(threads);
    const auto increment = [&] {
        int own = counter.load();
        all_have_read.wait();
        for (int i = 0; i < times; ++i) own += 1;
        counter.store(own);
    };
    {
        std::vector<heddle::thread<void>> running;
        for (int i = 0; i < threads; ++i) running.emplace_back(increment);
    } // a thread joins when it goes out of scope
    return counter;
}

int with_lock() {
    int counter = 0;
    std::mutex lock;
    const auto increment = [&] {
        for (int i = 0; i < times; ++i) {
            const std::lock_guard held(lock); // one thread at a time from here on
            counter += 1;
        }
    };
    {
        std::vector<heddle::thread<void>> running;
        for (int i = 0; i < threads; ++i) running.emplace_back(increment);
    }
    return counter;
}

int without_sharing() {
    const auto count = [](int upto) {
        int own = 0;
        for (int i = 0; i < upto; ++i) own += 1;
        return own;
    };
    heddle::thread_pool pool({.max_workers = threads});
    const std::vector<int> counted = pool.map(count, std::vector(threads, times)).collect();
    return std::accumulate(counted.begin(), counted.end(), 0);
}

int main() {
    heddle::print("expected:", threads * times);
    const int lost = without_lock();
    heddle::print("without a lock:", lost);
    const int locked = with_lock();
    heddle::print("with a lock:", locked);
    const int combined = without_sharing();
    heddle::print("returned and combined:", combined);
    heddle::print(std::to_string(lost) + " unlocked,", locked, "locked,", combined, "combined");
}
