#include <chrono>
#include <condition_variable>
#include <shared_mutex>
#include <thread>
std::shared_timed_mutex m;
std::condition_variable_any cv;
int state = 0;
int main() {
    std::thread a([] {
        std::unique_lock l(m);
        state = 1;
        cv.notify_all();
    });
    {
        std::shared_lock l(m);
        while (!cv.wait_until(l,
                              std::chrono::system_clock::now() + std::chrono::milliseconds(5),
                              [] { return state == 1; })) {
        }
    }
    a.join();
}
