// A map whose results are dropped while it runs: what runs ends, what has not started never does.
#include <heddle/map.hpp>
#include <heddle/thread_pool.hpp>

#include <atomic>
#include <cassert>
#include <memory>
#include <vector>

int main() {
    auto alive = std::make_shared<std::atomic<int>>(0);
    std::atomic<int> started{0};
    {
        heddle::thread_pool pool(2);
        {
            auto results = pool.map(
                {.chunk_size = 1},
                [&started, held = alive](int i) {
                    ++started;
                    ++*held;
                    return i;
                },
                std::vector{1, 2, 3});
            assert(*results.begin() == 1);
        }
    }
    assert(*alive == started && alive.use_count() == 1);
}
