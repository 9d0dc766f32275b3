// Two wait, one is told.
#include <condition_variable>
#include <mutex>
#include <thread>
std::mutex m;
std::condition_variable cv;
bool go = false;
int main() {
    auto wait = [] {
        std::unique_lock l(m);
        cv.wait(l, [] { return go; });
    };
    std::thread early([] { cv.notify_one(); });
    std::thread a(wait), b(wait);
    {
        std::lock_guard l(m);
        go = true;
    }
    cv.notify_one();
    early.join();
    a.join();
    b.join();
}
