// Relaxed atomics made safe by fences: what ThreadSanitizer cannot see.
#include <atomic>
#include <cassert>
#include <thread>
int payload = 0;
std::atomic<bool> ready{false};
int main() {
    std::thread a([] {
        payload = 42;
        std::atomic_thread_fence(std::memory_order_release);
        ready.store(true, std::memory_order_relaxed);
    });
    std::thread b([] {
        if (!ready.load(std::memory_order_relaxed)) return;
        std::atomic_thread_fence(std::memory_order_acquire);
        assert(payload == 42);
    });
    a.join();
    b.join();
}
