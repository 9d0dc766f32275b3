// Peterson's lock with its first two lines the other way round: both get in when the one is stopped
// between them and comes back while the other is inside, which takes two forced switches.
#include <atomic>
#include <cassert>
#include <thread>

std::atomic<bool> wants[2];
std::atomic<int> turn{0}, inside{0};

void work(int me) {
    for (int round = 0; round < 2; ++round) {
        turn = 1 - me;
        wants[me] = true;
        while (wants[1 - me] && turn == 1 - me) {
        }
        const int before = inside.fetch_add(1);
        assert(before == 0);
        inside.fetch_sub(1);
        wants[me] = false;
    }
}

int main() {
    std::thread a(work, 0), b(work, 1);
    a.join();
    b.join();
}
