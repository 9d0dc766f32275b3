#include <atomic>
#include <chrono>
#include <thread>
std::atomic<int> beats{0};
int main() {
    std::thread([] {
        for (;;) {
            ++beats;
            std::this_thread::sleep_for(std::chrono::seconds(1));
        }
    }).detach();
    std::this_thread::sleep_for(std::chrono::seconds(3));
}
