// A bounded pool: two threads wait for room, and nobody waits for ever.
#include <heddle/thread_pool.hpp>

#include <cassert>
#include <thread>

int main() {
    int sum = 0;
    {
        heddle::thread_pool pool({.max_workers = 1, .max_pending = 1});
        int first = 0;
        std::thread other([&] {
            for (int i = 0; i < 2; ++i) first += pool.submit([] { return 1; }).result();
        });
        auto a = pool.submit([] { return 10; });
        auto b = pool.submit([] { return 100; });
        sum = a.result() + b.result();
        other.join();
        sum += first;
    }
    assert(sum == 112);
}
