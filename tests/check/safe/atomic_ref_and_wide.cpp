#include <atomic>
#include <cassert>
#include <cstdint>
#include <thread>
int plain = 0;
std::atomic<std::uint64_t> wide{0};
std::atomic<std::uint8_t> narrow{0};
int main() {
    auto work = [] {
        std::atomic_ref<int>(plain).fetch_add(1);
        wide += 1ull << 40;
        narrow ^= 3;
        std::uint64_t seen = wide;
        while (!wide.compare_exchange_weak(seen, seen + 1)) {
        }
    };
    std::thread a(work), b(work);
    a.join();
    b.join();
    assert(plain == 2 && wide == (2ull << 40) + 2 && narrow == 0);
}
