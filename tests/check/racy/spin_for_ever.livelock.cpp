// Waits for a value that can be stepped over.
#include <atomic>
#include <thread>
std::atomic<int> turn{0};
int main() {
    std::thread a([] { ++turn; });
    std::thread b([] { ++turn; });
    while (turn == 0) std::this_thread::yield();
    while (turn == 1) {
        if (turn == 1) std::this_thread::yield();
    }
    const bool early = turn.exchange(7) != 2;
    a.join();
    b.join();
    if (!early) {
        std::atomic<bool> seen{false};
        std::thread c([&] {
            if (turn == 7) turn = 8;
        });
        std::thread d([&] {
            if (turn == 7) turn = 9;
        });
        while (turn == 7) std::this_thread::yield();
        c.join();
        d.join();
        while (turn == 9) std::this_thread::yield();
    }
}
