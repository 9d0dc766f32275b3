// Locals that other threads use while their functions wait: deep calls, memory from alloca, stack
// memory used again by the next function, an exception on the way out.
#include <alloca.h>

#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

namespace {

[[gnu::noinline]] int deep(int n) {
    volatile int room[8];
    for (int i = 0; i < 8; ++i) room[i] = n + i;
    return n > 0 ? deep(n - 1) + room[n & 7] : room[0];
}

[[gnu::noinline]] int from_alloca(unsigned n) {
    int* values = static_cast<int*>(alloca(sizeof(int) * n));
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < n; ++i) {
        values[i] = deep(1);
        threads.emplace_back([values, i] { values[i] += deep(2); });
        deep(3);
    }
    for (auto& t : threads) t.join();
    return values[0];
}

[[gnu::noinline]] int by_latch() {
    int value = 0;
    std::latch done(1);
    std::jthread helper([&] {
        value = deep(2);
        done.count_down();
    });
    done.wait();
    return value;
}

[[gnu::noinline]] int by_condition() {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    std::thread helper([&] {
        const std::lock_guard lock(mutex);
        done = true;
        changed.notify_one();
    });
    {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return done; });
    }
    helper.join();
    return done;
}

[[gnu::noinline]] int recursive(int n) {
    int local = n;
    auto later = std::async(std::launch::async, [&] { return local + deep(1); });
    const int below = n > 0 ? recursive(n - 1) : 0;
    return later.get() + below;
}

[[gnu::noinline]] void throws() {
    int local = 1;
    const std::jthread helper([&] { local += deep(1); });
    throw 1;
}

} // namespace

int main() {
    int sum = from_alloca(2) + by_latch() + by_condition() + recursive(2);
    try {
        throws();
    } catch (int) {
        ++sum;
    }
    return sum > 0 ? 0 : 1;
}
