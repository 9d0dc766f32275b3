#include <atomic>
#include <cassert>
#include <chrono>
#include <thread>
std::atomic<bool> done{false};
int main() {
    std::thread worker([] { done = true; });
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    assert(done);
    worker.join();
}
