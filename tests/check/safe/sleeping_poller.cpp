#include <atomic>
#include <chrono>
#include <thread>
std::atomic<bool> done{false};
int main() {
    std::thread a([] {
        std::this_thread::sleep_for(std::chrono::seconds(5));
        done = true;
    });
    while (!done) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    a.join();
}
