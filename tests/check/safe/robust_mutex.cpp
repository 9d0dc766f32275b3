#include <pthread.h>

#include <cassert>
#include <cerrno>
#include <thread>
static pthread_mutex_t m;
int main() {
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&m, &a);
    std::thread dies([] { pthread_mutex_lock(&m); });
    dies.join();
    assert(pthread_mutex_lock(&m) == EOWNERDEAD);
    pthread_mutex_consistent(&m);
    pthread_mutex_unlock(&m);
}
