#include <pthread.h>

#include <atomic>
#include <cassert>
#include <thread>
static pthread_key_t key;
static std::atomic<int> destroyed{0};
int main() {
    pthread_key_create(&key, [](void* p) {
        delete static_cast<int*>(p);
        ++destroyed;
    });
    auto work = [](int v) {
        pthread_setspecific(key, new int(v));
        assert(*static_cast<int*>(pthread_getspecific(key)) == v);
    };
    std::thread a(work, 1), b(work, 2);
    a.join();
    b.join();
    assert(destroyed == 2);
}
