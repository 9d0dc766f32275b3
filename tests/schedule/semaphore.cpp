// Two permits given back at once let both sleepers through.
#include <heddle/semaphore.hpp>

#include <cassert>
#include <thread>

int main() {
    heddle::bounded_semaphore permits(2);
    permits.acquire();
    permits.acquire();
    int handed_over = 0;
    const auto pass = [&] {
        permits.acquire();
        assert(handed_over == 1);
    };
    std::thread a(pass), b(pass);
    handed_over = 1;
    permits.release(2);
    a.join();
    b.join();
    assert(!permits.try_acquire()); // the two acquirers keep them
}
