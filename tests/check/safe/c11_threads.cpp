// All of <threads.h>, used as it should be.
#include <threads.h>
#include <time.h>

#include <cassert>
static mtx_t m, nested;
static cnd_t changed;
static tss_t own;
static once_flag once = ONCE_FLAG_INIT;
static int total = 0, gone = 0, prepared = 0;
static void prepare() {
    ++prepared;
}
static void at_end(void* value) {
    mtx_lock(&m);
    gone += *static_cast<int*>(value);
    mtx_unlock(&m);
}
static int work(void* argument) {
    call_once(&once, prepare);
    assert(prepared == 1);
    assert(tss_get(own) == nullptr);
    tss_set(own, argument);
    mtx_lock(&nested);
    assert(mtx_trylock(&nested) == thrd_success);
    mtx_unlock(&nested);
    mtx_unlock(&nested);
    mtx_lock(&m);
    total += *static_cast<int*>(argument);
    cnd_signal(&changed);
    mtx_unlock(&m);
    thrd_yield();
    if (*static_cast<int*>(argument) == 2) thrd_exit(-2);
    return -*static_cast<int*>(argument);
}
static int nothing(void*) {
    return 0;
}
int main() {
    mtx_init(&m, mtx_timed);
    mtx_init(&nested, mtx_plain | mtx_recursive);
    cnd_init(&changed);
    tss_create(&own, at_end);
    int numbers[] = {1, 2};
    thrd_t threads[2], loose;
    for (int i = 0; i < 2; ++i) assert(thrd_create(&threads[i], work, &numbers[i]) == thrd_success);
    mtx_lock(&m);
    while (total != 3) cnd_wait(&changed, &m);
    timespec soon{};
    timespec_get(&soon, TIME_UTC);
    soon.tv_nsec = 0;
    soon.tv_sec += 1;
    assert(cnd_timedwait(&changed, &m, &soon) == thrd_timedout);
    mtx_unlock(&m);
    for (int i = 0; i < 2; ++i) {
        int result = 0;
        thrd_join(threads[i], &result);
        assert(result == -numbers[i]);
    }
    assert(gone == 3);
    assert(thrd_create(&loose, nothing, nullptr) == thrd_success);
    thrd_detach(loose);
    const timespec moment{0, 1000};
    thrd_sleep(&moment, nullptr);
    assert(mtx_timedlock(&m, &soon) == thrd_success);
    mtx_unlock(&m);
    tss_delete(own);
    cnd_destroy(&changed);
    mtx_destroy(&nested);
    mtx_destroy(&m);
}
