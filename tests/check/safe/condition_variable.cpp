#include <cassert>
#include <condition_variable>
#include <mutex>
#include <thread>
std::mutex m;
std::condition_variable cv;
int items = 0;
int main() {
    std::thread consumer([] {
        for (int i = 0; i < 2; ++i) {
            std::unique_lock l(m);
            cv.wait(l, [] { return items > 0; });
            --items;
        }
    });
    for (int i = 0; i < 2; ++i) {
        {
            std::lock_guard l(m);
            ++items;
        }
        cv.notify_one();
    }
    consumer.join();
    assert(items == 0);
}
