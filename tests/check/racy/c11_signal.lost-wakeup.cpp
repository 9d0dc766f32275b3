// Waits without a look at what it waits for.
#include <threads.h>
static mtx_t m;
static cnd_t c;
static int wait(void*) {
    mtx_lock(&m);
    cnd_wait(&c, &m);
    return mtx_unlock(&m);
}
int main() {
    mtx_init(&m, mtx_plain);
    cnd_init(&c);
    thrd_t t;
    thrd_create(&t, wait, nullptr);
    thrd_yield();
    cnd_signal(&c);
    thrd_join(t, nullptr);
}
