#include <pthread.h>

#include <cassert>
#include <thread>
pthread_barrier_t b;
int cells[2];
int main() {
    pthread_barrier_init(&b, nullptr, 2);
    auto work = [](int i) {
        for (int round = 1; round < 4; ++round) {
            cells[i] = round;
            pthread_barrier_wait(&b);
            assert(cells[0] == cells[1]);
            pthread_barrier_wait(&b);
        }
    };
    std::thread x(work, 0), y(work, 1);
    x.join();
    y.join();
}
