#include <mutex>
#include <thread>
std::mutex first, second;
int main() {
    std::thread a([] {
        std::lock_guard x(first);
        std::lock_guard y(second);
    });
    std::thread b([] {
        std::lock_guard x(second);
        std::lock_guard y(first);
    });
    a.join();
    b.join();
}
