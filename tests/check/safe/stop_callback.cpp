#include <atomic>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
std::mutex m;
std::condition_variable_any cv;
int main() {
    std::jthread worker([](std::stop_token stop) {
        std::unique_lock l(m);
        cv.wait(l, stop, [] { return false; });
        assert(stop.stop_requested());
    });
    worker.request_stop();
}
