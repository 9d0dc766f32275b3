// The flag is looked at under one lock, the wait begins under another.
#include <condition_variable>
#include <mutex>
#include <thread>
std::mutex m;
std::condition_variable cv;
bool ready = false;
int main() {
    std::thread waiter([] {
        bool go;
        {
            std::lock_guard l(m);
            go = ready;
        }
        std::unique_lock l(m);
        if (!go) cv.wait(l);
    });
    {
        std::lock_guard l(m);
        ready = true;
    }
    cv.notify_one();
    waiter.join();
}
