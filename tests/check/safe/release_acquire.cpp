#include <atomic>
#include <cassert>
#include <thread>
int payload = 0;
std::atomic<bool> ready{false};
int main() {
    std::thread a([] {
        payload = 42;
        ready.store(true, std::memory_order_release);
    });
    std::thread b([] {
        if (ready.load(std::memory_order_acquire)) assert(payload == 42);
    });
    a.join();
    b.join();
}
