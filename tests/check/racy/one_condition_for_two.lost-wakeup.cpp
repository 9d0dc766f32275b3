// Producers and consumers wait on one condition, and who is woken may be of the wrong kind.
#include <condition_variable>
#include <mutex>
#include <thread>
std::mutex m;
std::condition_variable changed;
int full = 0;
void put() {
    std::unique_lock lock(m);
    changed.wait(lock, [] { return full == 0; });
    full = 1;
    changed.notify_one();
}
void take() {
    std::unique_lock lock(m);
    changed.wait(lock, [] { return full == 1; });
    full = 0;
    changed.notify_one();
}
int main() {
    std::thread a(take), b(take), c(put), d(put);
    a.join();
    b.join();
    c.join();
    d.join();
}
