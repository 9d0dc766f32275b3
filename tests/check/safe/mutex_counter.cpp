#include <cassert>
#include <mutex>
#include <thread>
std::mutex m;
int counter = 0;
int main() {
    auto add = [] {
        for (int i = 0; i < 3; ++i) {
            std::lock_guard l(m);
            ++counter;
        }
    };
    std::thread a(add), b(add);
    a.join();
    b.join();
    assert(counter == 6);
}
