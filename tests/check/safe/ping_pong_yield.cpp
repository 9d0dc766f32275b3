#include <atomic>
#include <thread>
std::atomic<int> turn{0};
int main() {
    auto play = [](int me) {
        for (int i = 0; i < 4; ++i) {
            while (turn != me) std::this_thread::yield();
            turn = 1 - me;
        }
    };
    std::thread a(play, 0), b(play, 1);
    a.join();
    b.join();
}
