#include <atomic>
#include <cstdlib>
#include <thread>
std::atomic<bool> configured{false};
int main() {
    std::thread worker([] {
        if (!configured) std::abort();
    });
    configured = true;
    worker.join();
}
