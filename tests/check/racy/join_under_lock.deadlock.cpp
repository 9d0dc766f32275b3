#include <mutex>
#include <thread>
std::mutex m;
int main() {
    std::thread a([] { std::lock_guard l(m); });
    std::lock_guard l(m);
    a.join();
}
