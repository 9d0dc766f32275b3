#include <atomic>
#include <thread>
int value = 0;
std::atomic<bool> started{false};
int main() {
    std::thread([] {
        started = true;
        volatile int copy = value;
        (void)copy;
    }).detach();
    while (!started) std::this_thread::yield();
    value = 1;
}
