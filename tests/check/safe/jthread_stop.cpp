#include <atomic>
#include <stop_token>
#include <thread>
std::atomic<int> rounds{0};
int main() {
    std::jthread worker([](std::stop_token stop) {
        while (!stop.stop_requested()) {
            ++rounds;
            std::this_thread::yield();
        }
    });
    while (rounds == 0) std::this_thread::yield();
}
