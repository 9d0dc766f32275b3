#include <threads.h>
static mtx_t first, second;
static int forwards(void*) {
    mtx_lock(&first);
    mtx_lock(&second);
    mtx_unlock(&second);
    return mtx_unlock(&first);
}
static int backwards(void*) {
    mtx_lock(&second);
    mtx_lock(&first);
    mtx_unlock(&first);
    return mtx_unlock(&second);
}
int main() {
    mtx_init(&first, mtx_plain);
    mtx_init(&second, mtx_plain);
    thrd_t a, b;
    thrd_create(&a, forwards, nullptr);
    thrd_create(&b, backwards, nullptr);
    thrd_join(a, nullptr);
    thrd_join(b, nullptr);
}
