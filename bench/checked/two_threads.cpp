// A correct test of two threads, for ./dev bench check: what a schedule costs.
#include <atomic>
#include <thread>

std::atomic<int> counter{0};

int main() {
    std::thread a([] { ++counter; });
    std::thread b([] { ++counter; });
    a.join();
    b.join();
}
