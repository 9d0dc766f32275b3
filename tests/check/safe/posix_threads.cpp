#include <pthread.h>

#include <cassert>
static int value = 0;
static void* work(void* p) {
    value = *static_cast<int*>(p);
    pthread_exit(&value);
}
int main() {
    int input = 4;
    pthread_t t;
    pthread_create(&t, nullptr, work, &input);
    void* result = nullptr;
    pthread_join(t, &result);
    assert(*static_cast<int*>(result) == 4);
}
