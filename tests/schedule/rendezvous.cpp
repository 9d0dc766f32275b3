// Tasks that wait for each other, as many as there are workers: each worker must be woken.
#include <heddle/thread_pool.hpp>

#include <latch>

int main() {
    constexpr int workers = 3;
    std::latch all(workers);
    heddle::thread_pool pool(workers);
    for (int i = 0; i < workers; ++i) pool.post([&] { all.arrive_and_wait(); });
    all.wait();
}
