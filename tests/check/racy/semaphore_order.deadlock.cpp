#include <semaphore.h>

#include <thread>
sem_t a, b;
int main() {
    sem_init(&a, 0, 1);
    sem_init(&b, 0, 1);
    std::thread x([] {
        sem_wait(&a);
        sem_wait(&b);
        sem_post(&b);
        sem_post(&a);
    });
    std::thread y([] {
        sem_wait(&b);
        sem_wait(&a);
        sem_post(&a);
        sem_post(&b);
    });
    x.join();
    y.join();
}
