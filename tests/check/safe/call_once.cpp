#include <cassert>
#include <mutex>
#include <thread>
std::once_flag flag;
int made = 0;
int main() {
    auto use = [] {
        std::call_once(flag, [] { ++made; });
        assert(made == 1);
    };
    std::thread a(use), b(use), c(use);
    a.join();
    b.join();
    c.join();
}
