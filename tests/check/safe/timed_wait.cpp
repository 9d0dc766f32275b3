// The timeout may come: the program is prepared.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
std::mutex m;
std::condition_variable cv;
bool ready = false;
int main() {
    std::thread a([] {
        std::lock_guard l(m);
        ready = true;
        cv.notify_all();
    });
    {
        std::unique_lock l(m);
        while (!ready) cv.wait_for(l, std::chrono::milliseconds(10));
    }
    a.join();
}
