#include <atomic>
#include <cassert>
#include <thread>
std::atomic<int> counter{0};
int main() {
    std::thread a([] { counter.fetch_add(1, std::memory_order_relaxed); });
    std::thread b([] { counter.fetch_add(1, std::memory_order_relaxed); });
    a.join();
    b.join();
    assert(counter == 2);
}
