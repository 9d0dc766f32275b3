// Both threads lock, but not the same mutex.
#include <mutex>
#include <thread>
std::mutex one, two;
int shared = 0;
int main() {
    std::thread a([] {
        std::lock_guard l(one);
        ++shared;
    });
    std::thread b([] {
        std::lock_guard l(two);
        ++shared;
    });
    a.join();
    b.join();
}
