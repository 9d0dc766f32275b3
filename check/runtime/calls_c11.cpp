// C11's <threads.h>. glibc's own functions call its POSIX ones from inside, past ours; their
// objects are the same in memory.
#include "real.hpp"
#include "sync.hpp"
#include "threads.hpp"

#include <threads.h>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

pthread_mutex_t* posix(mtx_t* m) {
    return reinterpret_cast<pthread_mutex_t*>(m);
}
pthread_cond_t* posix(cnd_t* c) {
    return reinterpret_cast<pthread_cond_t*>(c);
}

/// What <threads.h> returns instead of an error number.
int c11(int error) {
    switch (error) {
    case 0: return thrd_success;
    case EBUSY: return thrd_busy;
    case ETIMEDOUT: return thrd_timedout;
    case ENOMEM: return thrd_nomem;
    default: return thrd_error;
    }
}

} // namespace

/// The upper half of such a function's result means nothing: thrd_join() looks at the lower one.
HEDDLE_HOOK int thrd_create(thrd_t* into, thrd_start_t start, void* argument) {
    const auto posix_start = reinterpret_cast<void* (*)(void*)>(reinterpret_cast<void*>(start));
    if (!has_turn()) return c11(real().create(into, nullptr, posix_start, argument));
    return c11(create_thread(into, nullptr, posix_start, argument, PC));
}
HEDDLE_HOOK int thrd_join(thrd_t thread, int* result) {
    void* value = nullptr;
    const int error =
        has_turn() ? join_thread(thread, &value, never, PC) : real().join(thread, &value);
    if (error == 0 && result != nullptr) *result = static_cast<int>(as_long(value));
    return c11(error);
}
HEDDLE_HOOK int thrd_detach(thrd_t thread) {
    return c11(pthread_detach(thread));
}
HEDDLE_HOOK void thrd_exit(int result) {
    pthread_exit(reinterpret_cast<void*>(static_cast<long>(result)));
}
HEDDLE_HOOK void thrd_yield() {
    if (has_turn()) yield_turn(op::yield, PC);
    else kernel(SYS_sched_yield);
}
HEDDLE_HOOK int thrd_sleep(const timespec* time, timespec* left) {
    return nanosleep(time, left);
}
HEDDLE_HOOK int timespec_get(timespec* into, int base) {
    if (base != TIME_UTC) return 0;
    clock_gettime(CLOCK_REALTIME, into);
    return base;
}

HEDDLE_HOOK int mtx_init(mtx_t* m, int type) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    if ((type & mtx_recursive) != 0)
        pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    return c11(pthread_mutex_init(posix(m), &attributes));
}
HEDDLE_HOOK void mtx_destroy(mtx_t* m) {
    pthread_mutex_destroy(posix(m));
}
HEDDLE_HOOK int mtx_lock(mtx_t* m) {
    if (!has_turn()) return c11(real().mutex_lock(posix(m)));
    return c11(lock_object(address_of(m), mutex_type(posix(m)), never, PC));
}
HEDDLE_HOOK int mtx_timedlock(mtx_t* m, const timespec* until) {
    if (!has_turn()) return c11(real().mutex_lock(posix(m)));
    const i64 deadline = deadline_of(CLOCK_REALTIME, until);
    return c11(lock_object(address_of(m), mutex_type(posix(m)), deadline, PC));
}
HEDDLE_HOOK int mtx_trylock(mtx_t* m) {
    if (!has_turn()) return c11(real().mutex_trylock(posix(m)));
    return c11(try_lock_object(address_of(m), mutex_type(posix(m)), PC));
}
HEDDLE_HOOK int mtx_unlock(mtx_t* m) {
    if (!has_turn()) return c11(real().mutex_unlock(posix(m)));
    return c11(release_object(address_of(m), mutex_type(posix(m)), PC));
}

HEDDLE_HOOK int cnd_init(cnd_t* c) {
    return c11(pthread_cond_init(posix(c), nullptr));
}
HEDDLE_HOOK void cnd_destroy(cnd_t* c) {
    pthread_cond_destroy(posix(c));
}
HEDDLE_HOOK int cnd_wait(cnd_t* c, mtx_t* m) {
    if (!has_turn()) return c11(real().cond_wait(posix(c), posix(m)));
    return c11(wait_condition(address_of(c), address_of(m), never, PC));
}
HEDDLE_HOOK int cnd_timedwait(cnd_t* c, mtx_t* m, const timespec* until) {
    if (!has_turn()) return c11(real().cond_wait(posix(c), posix(m)));
    const i64 deadline = deadline_of(CLOCK_REALTIME, until);
    return c11(wait_condition(address_of(c), address_of(m), deadline, PC));
}
HEDDLE_HOOK int cnd_signal(cnd_t* c) {
    if (!has_turn()) return c11(real().cond_signal(posix(c)));
    return c11(notify_condition(address_of(c), false, PC));
}
HEDDLE_HOOK int cnd_broadcast(cnd_t* c) {
    if (!has_turn()) return c11(real().cond_broadcast(posix(c)));
    return c11(notify_condition(address_of(c), true, PC));
}

HEDDLE_HOOK int tss_create(tss_t* key, tss_dtor_t destroy) {
    return c11(pthread_key_create(key, destroy));
}
HEDDLE_HOOK void tss_delete(tss_t key) {
    pthread_key_delete(key);
}
HEDDLE_HOOK void call_once(once_flag* flag, void (*routine)()) {
    auto* control = reinterpret_cast<pthread_once_t*>(flag);
    if (has_turn()) run_once(control, routine, PC);
    else real().once(control, routine);
}
