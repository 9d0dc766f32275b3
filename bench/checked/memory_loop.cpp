// A loop over more memory than the caches hold, for ./dev bench check: what watching accesses
// costs.
#include <cstddef>
#include <thread>
#include <vector>

int main() {
    constexpr std::size_t count = std::size_t{1} << 21; // 3 x 16 MiB
    std::vector<double> a(count, 1.0), b(count, 2.0), c(count, 0.0);
    // In a thread of its own: alone, a program is watched less.
    std::thread worker([&] {
        for (int round = 0; round < 20; ++round)
            for (std::size_t i = 0; i < count; ++i) c[i] = a[i] + b[i] * round;
    });
    worker.join();
    return c[count - 1] == 39.0 ? 0 : 1;
}
