// A task that waits for one it has submitted itself, to a pool with a single worker.
#include <heddle/thread_pool.hpp>

#include <cassert>

int main() {
    heddle::thread_pool pool(1);
    auto outer = pool.submit([&] { return pool.submit([] { return 20; }).result() + 1; });
    auto other = pool.submit([] { return 21; });
    assert(outer.result() + other.result() == 42);
}
