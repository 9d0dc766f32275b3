#include <cassert>
#include <mutex>
#include <stdexcept>
#include <thread>
std::once_flag flag;
int tries = 0;
void use() {
    try {
        std::call_once(flag, [] {
            if (++tries == 1) throw std::runtime_error("first");
        });
    } catch (const std::runtime_error&) {
    }
}
int main() {
    std::thread a(use), b(use);
    a.join();
    b.join();
    assert(tries == 2);
}
