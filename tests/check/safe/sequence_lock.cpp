#include <atomic>
#include <cassert>
#include <thread>
std::atomic<unsigned> version{0};
std::atomic<int> left{0}, right{0};
int main() {
    std::thread writer([] {
        version.fetch_add(1, std::memory_order_acq_rel);
        left.store(5, std::memory_order_relaxed);
        right.store(5, std::memory_order_relaxed);
        version.fetch_add(1, std::memory_order_release);
    });
    std::thread reader([] {
        for (;;) {
            const unsigned before = version.load(std::memory_order_acquire);
            const int l = left.load(std::memory_order_relaxed),
                      r = right.load(std::memory_order_relaxed);
            std::atomic_thread_fence(std::memory_order_acquire);
            if (before % 2 == 0 && version.load(std::memory_order_relaxed) == before) {
                assert(l == r);
                return;
            }
        }
    });
    writer.join();
    reader.join();
}
