// A relaxed flag orders nothing.
#include <atomic>
#include <thread>
int payload = 0;
std::atomic<bool> ready{false};
int main() {
    int got = 0;
    std::thread a([] {
        payload = 42;
        ready.store(true, std::memory_order_relaxed);
    });
    std::thread b([&] {
        if (ready.load(std::memory_order_relaxed)) got = payload;
    });
    a.join();
    b.join();
    return got > 42;
}
