#include <atomic>
#include <stdexcept>
#include <thread>
std::atomic<int> free_slots{1};
int main() {
    auto take = [] {
        if (free_slots.load() == 0) return;
        if (free_slots.fetch_sub(1) <= 0) throw std::runtime_error("no slot left");
    };
    std::thread a(take), b(take);
    a.join();
    b.join();
}
