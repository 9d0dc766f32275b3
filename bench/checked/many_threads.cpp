// 101 threads, of which two forget the mutex, for ./dev bench check.
#include <mutex>
#include <thread>
#include <vector>

std::mutex m;
int sum = 0;

int main() {
    std::vector<std::thread> all;
    for (int i = 0; i < 100; ++i)
        all.emplace_back([i] {
            std::unique_lock lock(m, std::defer_lock);
            if (i != 40 && i != 80) lock.lock();
            ++sum;
        });
    for (auto& t : all) t.join();
}
