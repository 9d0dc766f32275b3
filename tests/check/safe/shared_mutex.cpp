#include <cassert>
#include <mutex>
#include <shared_mutex>
#include <thread>
std::shared_mutex m;
int value = 0;
int main() {
    std::thread writer([] {
        std::unique_lock l(m);
        value = 1;
        value = 2;
    });
    auto read = [] {
        std::shared_lock l(m);
        assert(value == 0 || value == 2);
    };
    std::thread a(read), b(read);
    writer.join();
    a.join();
    b.join();
}
