// The flag is atomic, but changed outside of the mutex: the notification can fall between the
// waiter's check and its sleep.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
std::mutex m;
std::condition_variable cv;
std::atomic<bool> ready{false};
int main() {
    std::thread waiter([] {
        std::unique_lock l(m);
        while (!ready) cv.wait(l);
    });
    ready = true;
    cv.notify_one();
    waiter.join();
}
