// A pool of two workers: tasks run once each, sleepers are woken, and the end waits for all.
#include <heddle/thread_pool.hpp>

#include <atomic>
#include <cassert>

int main() {
    std::atomic<int> posted{0};
    int results = 0;
    {
        heddle::thread_pool pool(2);
        auto a = pool.submit([] { return 1; });
        pool.post([&] { ++posted; });
        auto b = pool.submit([] { return 2; });
        results = a.result() + b.result();
    }
    assert(results == 3 && posted == 1);
}
