// A std::condition_variable_any unlocks a mutex of its own before it looks: that is no progress.
#include <condition_variable>
#include <mutex>
#include <thread>
std::mutex m;
std::condition_variable_any changed;
int items = 0;
int main() {
    std::thread waiter([] {
        std::unique_lock lock(m);
        changed.wait(lock, [] { return items >= 2; });
    });
    {
        std::lock_guard lock(m);
        ++items;
        changed.notify_all();
    }
    waiter.join();
}
