// Writes under a lock that readers share.
#include <shared_mutex>
#include <thread>
std::shared_mutex m;
int hits = 0;
int main() {
    std::thread a([] {
        std::shared_lock l(m);
        ++hits;
    });
    std::thread b([] {
        std::shared_lock l(m);
        ++hits;
    });
    a.join();
    b.join();
}
