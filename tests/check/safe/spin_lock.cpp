#include <atomic>
#include <thread>
std::atomic_flag busy = ATOMIC_FLAG_INIT;
int counter = 0;
int main() {
    auto add = [] {
        while (busy.test_and_set(std::memory_order_acquire)) {
        }
        ++counter;
        busy.clear(std::memory_order_release);
    };
    std::thread a(add), b(add);
    a.join();
    b.join();
    return counter - 2;
}
