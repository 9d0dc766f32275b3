// A ticket lock, and one that spins a little, then gives way and then tries again.
#include <atomic>
#include <cassert>
#include <thread>

std::atomic<int> next_ticket{0}, serving{0};
std::atomic_flag flag = ATOMIC_FLAG_INIT;
int one = 0, two = 0;

void work() {
    for (int i = 0; i < 2; ++i) {
        const int mine = next_ticket.fetch_add(1);
        while (serving.load(std::memory_order_acquire) != mine) {
        }
        ++one;
        serving.store(mine + 1, std::memory_order_release);
        for (int tries = 0; flag.test_and_set(std::memory_order_acquire); ++tries) {
            if (tries % 8 == 7) std::this_thread::yield();
            while (flag.test(std::memory_order_relaxed)) {
            }
        }
        ++two;
        flag.clear(std::memory_order_release);
    }
}

int main() {
    std::thread a(work), b(work), c(work);
    a.join();
    b.join();
    c.join();
    assert(one == 6 && two == 6);
}
