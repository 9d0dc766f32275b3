// The latch waits for one more than there are: its word changes and nobody is woken, rightly so.
#include <latch>
#include <thread>
#include <vector>
int main() {
    std::latch done(4);
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) threads.emplace_back([&] { done.count_down(); });
    done.wait();
}
