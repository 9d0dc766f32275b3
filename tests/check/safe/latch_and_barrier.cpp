#include <barrier>
#include <cassert>
#include <latch>
#include <thread>
std::latch ready(2);
std::barrier step(2);
int left = 0, right = 0;
int main() {
    std::thread a([] {
        ready.count_down();
        left = 1;
        step.arrive_and_wait();
        assert(right == 1);
    });
    std::thread b([] {
        ready.count_down();
        right = 1;
        step.arrive_and_wait();
        assert(left == 1);
    });
    ready.wait();
    a.join();
    b.join();
}
