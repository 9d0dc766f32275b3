#include <atomic>
#include <cassert>
#include <thread>
std::atomic<int> alive{0};
struct tracked {
    int n = 0;
    tracked() { ++alive; }
    ~tracked() { --alive; }
};
thread_local tracked mine;
int main() {
    std::thread a([] { mine.n = 1; });
    std::thread b([] { mine.n = 2; });
    a.join();
    b.join();
    assert(alive == 0);
}
