#include <chrono>
#include <mutex>
#include <thread>
std::timed_mutex m;
int held = 0;
int main() {
    auto use = [] {
        if (m.try_lock_for(std::chrono::milliseconds(5))) {
            ++held;
            m.unlock();
        }
    };
    std::thread a(use), b(use);
    a.join();
    b.join();
    return held <= 2 ? 0 : 1;
}
