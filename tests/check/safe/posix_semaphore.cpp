#include <semaphore.h>

#include <cassert>
#include <thread>
sem_t items;
int value = 0;
int main() {
    sem_init(&items, 0, 0);
    std::thread a([] {
        value = 5;
        sem_post(&items);
    });
    sem_wait(&items);
    assert(value == 5);
    a.join();
    sem_destroy(&items);
}
