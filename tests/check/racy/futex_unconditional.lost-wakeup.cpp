// A home-made event that wakes only if it believes that somebody sleeps.
#include <atomic>
#include <thread>
std::atomic<int> state{0};
std::atomic<int> sleepers{0};
int main() {
    std::thread waiter([] {
        if (state == 0) {
            ++sleepers;
            state.wait(0);
        }
    });
    const bool nobody = sleepers == 0;
    state = 1;
    if (!nobody) state.notify_all();
    waiter.join();
}
