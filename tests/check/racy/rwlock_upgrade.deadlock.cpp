// A reader that waits to become the writer waits for itself; two of them for each other.
#include <pthread.h>

#include <thread>
pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
void upgrade() {
    pthread_rwlock_rdlock(&lock);
    pthread_rwlock_wrlock(&lock);
    pthread_rwlock_unlock(&lock);
}
int main() {
    std::thread a(upgrade), b(upgrade);
    a.join();
    b.join();
}
