#include <mutex>
#include <thread>
std::mutex a, b;
int x = 0;
int main() {
    std::thread t([] {
        std::scoped_lock l(a, b);
        ++x;
    });
    std::thread u([] {
        std::scoped_lock l(b, a);
        ++x;
    });
    t.join();
    u.join();
    return x - 2;
}
