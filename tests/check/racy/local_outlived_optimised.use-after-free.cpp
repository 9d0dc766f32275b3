// -O2
// As local_outlived.cpp. Optimised functions leave their frame before they tell that they end.
#include <atomic>
#include <thread>

std::atomic<bool> finished{false};

[[gnu::noinline]] void start() {
    int steps[4] = {};
    std::thread worker([&steps] {
        for (int& step : steps) ++step;
        finished = true;
    });
    worker.detach();
}

int main() {
    start();
    while (!finished) std::this_thread::yield();
}
