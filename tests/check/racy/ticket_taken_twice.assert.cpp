// A ticket lock whose tickets are taken in two steps: two threads can get the same one.
#include <atomic>
#include <cassert>
#include <thread>

std::atomic<int> next_ticket{0}, serving{0}, inside{0};

void work() {
    for (int i = 0; i < 2; ++i) {
        const int mine = next_ticket.load();
        next_ticket.store(mine + 1);
        while (serving.load() < mine) {
        }
        const int before = inside.fetch_add(1);
        assert(before == 0);
        inside.fetch_sub(1);
        serving.fetch_add(1);
    }
}

int main() {
    std::thread a(work), b(work), c(work);
    a.join();
    b.join();
    c.join();
}
