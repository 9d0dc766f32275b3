// Peterson's lock, as published: all its variables are sequentially consistent.
#include <atomic>
#include <cassert>
#include <thread>

std::atomic<bool> wants[2];
std::atomic<int> turn{0};
int shared = 0;

void work(int me) {
    for (int round = 0; round < 3; ++round) {
        wants[me] = true;
        turn = 1 - me;
        while (wants[1 - me] && turn == 1 - me) {
        }
        ++shared;
        wants[me] = false;
    }
}

int main() {
    std::thread a(work, 0), b(work, 1);
    a.join();
    b.join();
    assert(shared == 6);
}
