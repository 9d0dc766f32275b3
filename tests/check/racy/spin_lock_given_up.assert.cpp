// A spin lock that is tried fifty times and then taken all the same: only a thread that goes on
// spinning while the owner waits to be run shows it.
#include <atomic>
#include <cassert>
#include <thread>

std::atomic<bool> locked{false};
std::atomic<int> inside{0};

void work() {
    for (int tries = 0; tries < 50 && locked.exchange(true); ++tries) {
    }
    const int before = inside.fetch_add(1);
    assert(before == 0);
    inside.fetch_sub(1);
    locked = false;
}

int main() {
    std::thread a(work), b(work);
    a.join();
    b.join();
}
