// Read-write locks, pthread_once, the guards of static variables, and raw futexes.
#include "real.hpp"
#include "record.hpp"
#include "sync.hpp"

#include <linux/futex.h>
#include <time.h>

#include <cstdarg>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace heddle::check::rt {
void release_store(u64 address); // abi_atomic.cpp
}

namespace {

u64 key(const volatile void* p) {
    return address_of(p);
}

int lock_shared(u64 address, i64 deadline, bool try_only, u64 pc) {
    learn_operation(pc);
    point(op::read_lock, address, pc, true);
    thread* t = self;
    sync_object& o = sync_at(address);
    if (o.owner == t) return EDEADLK;
    while (o.owner != nullptr) {
        if (try_only) return EBUSY;
        if (!block(wait_for::read_lock, address, deadline, pc)) return ETIMEDOUT;
    }
    ++o.readers;
    ++t->locks;
    acquire_from(o.clock, t);
    record(op::read_lock, address, pc);
    return 0;
}

int lock_exclusive(u64 address, i64 deadline, bool try_only, u64 pc) {
    learn_operation(pc);
    point(op::lock, address, pc, true);
    thread* t = self;
    sync_object& o = sync_at(address);
    if (o.owner == t) return EDEADLK;
    while (o.owner != nullptr || o.readers != 0) {
        if (try_only) return EBUSY;
        if (!block(wait_for::write_lock, address, deadline, pc)) return ETIMEDOUT;
    }
    o.owner = t;
    ++t->locks;
    o.held_from = here(pc);
    acquire_from(o.clock, t);
    acquire_from(o.read_clock, t);
    record(op::lock, address, pc);
    return 0;
}

int unlock_shared_or_exclusive(u64 address, u64 pc) {
    thread* t = self;
    sync_object& o = sync_at(address);
    if (t->locks > 0) --t->locks;
    if (o.owner == t) {
        release_into(o.clock, t);
        o.owner = nullptr;
    } else if (o.readers > 0) {
        release_into(o.read_clock, t);
        --o.readers;
    }
    record(op::unlock, address, pc);
    wake_all(wait_for::read_lock, address);
    wake_all(wait_for::write_lock, address);
    point(op::unlock, address, pc, true);
    return 0;
}

int answer(long result) {
    if (result >= 0) return static_cast<int>(result);
    errno = static_cast<int>(-result);
    return -1;
}

long futex_wait(u32* word, u32 expected, i64 deadline, u64 pc) {
    learn_operation(pc);
    point(op::futex_wait, key(word), pc, false);
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != expected) return -EAGAIN;
    record(op::futex_wait, key(word), pc, expected);
    sync_at(key(word));
    self->wait_value = expected;
    const bool woken = block(wait_for::futex, key(word), deadline, pc);
    return woken ? 0 : -ETIMEDOUT;
}

long futex_wake(u32* word, u32 count, u64 pc) {
    point(op::futex_wake, key(word), pc, true);
    thread* found[max_threads];
    u32 n = waiters(wait_for::futex, key(word), found);
    record(op::futex_wake, key(word), pc, n);
    if (n == 0) {
        sync_object& o = sync_at(key(word));
        ++o.missed;
        o.missed_step = g.step;
    }
    u32 woken = 0;
    for (; woken < count && n > 0; ++woken) {
        const u32 chosen = count >= n ? 0 : choose_waiter(n);
        wake(found[chosen]);
        for (u32 i = chosen + 1; i < n; ++i) found[i - 1] = found[i];
        --n;
    }
    return woken;
}

long futex(u32* word, int operation, u32 value, const timespec* time, u64 pc) {
    const bool wall = (operation & FUTEX_CLOCK_REALTIME) != 0;
    switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT: return futex_wait(word, value, deadline_of(-1, time), pc);
    case FUTEX_WAIT_BITSET:
        return futex_wait(
            word, value, deadline_of(wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, time), pc);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET: return futex_wake(word, value, pc);
    default: note_limit(limit_fence_pi); return -ENOSYS;
    }
}

/// Ends the "running" state of an initialisation, also when it leaves by an exception.
struct once_run {
    sync_object& o;
    u64 address;
    wait_for what;
    pthread_once_t* control;
    bool done = false;

    ~once_run() {
        o.owner = nullptr;
        o.count = done ? 2 : 0;
        if (done) *control = 2;      // what the C library means by done
        release_into(o.clock, self); // a run that throws is ordered before the next one, too
        wake_all(what, address);
    }
};

} // namespace

namespace heddle::check::rt {

int run_once(pthread_once_t* control, void (*routine)(), u64 pc) {
    point(op::once, key(control), pc, true);
    sync_object& o = sync_at(key(control));
    if (o.count == 0 && (*control & 2) != 0) o.count = 2; // done before control began
    while (o.count == 1) block(wait_for::once, key(control), never, pc);
    acquire_from(o.clock, self);
    if (o.count == 2) return 0;
    o.count = 1;
    o.owner = self;
    o.held_from = here(pc);
    once_run run{o, key(control), wait_for::once, control};
    routine();
    run.done = true;
    return 0;
}

} // namespace heddle::check::rt

HEDDLE_HOOK int pthread_rwlock_init(pthread_rwlock_t* l, const pthread_rwlockattr_t*) {
    if (has_turn()) forget_sync(key(l));
    return 0;
}
HEDDLE_HOOK int pthread_rwlock_destroy(pthread_rwlock_t* l) {
    if (has_turn()) forget_sync(key(l));
    return 0;
}
HEDDLE_HOOK int pthread_rwlock_rdlock(pthread_rwlock_t* l) {
    return has_turn() ? lock_shared(key(l), never, false, PC) : 0;
}
HEDDLE_HOOK int pthread_rwlock_tryrdlock(pthread_rwlock_t* l) {
    return has_turn() ? lock_shared(key(l), never, true, PC) : 0;
}
HEDDLE_HOOK int pthread_rwlock_timedrdlock(pthread_rwlock_t* l, const timespec* t) {
    return has_turn() ? lock_shared(key(l), deadline_of(CLOCK_REALTIME, t), false, PC) : 0;
}
HEDDLE_HOOK int pthread_rwlock_clockrdlock(pthread_rwlock_t* l, clockid_t c, const timespec* t) {
    return has_turn() ? lock_shared(key(l), deadline_of(c, t), false, PC) : 0;
}
HEDDLE_HOOK int pthread_rwlock_wrlock(pthread_rwlock_t* l) {
    return has_turn() ? lock_exclusive(key(l), never, false, PC) : 0;
}
HEDDLE_HOOK int pthread_rwlock_trywrlock(pthread_rwlock_t* l) {
    return has_turn() ? lock_exclusive(key(l), never, true, PC) : 0;
}
HEDDLE_HOOK int pthread_rwlock_timedwrlock(pthread_rwlock_t* l, const timespec* t) {
    return has_turn() ? lock_exclusive(key(l), deadline_of(CLOCK_REALTIME, t), false, PC) : 0;
}
HEDDLE_HOOK int pthread_rwlock_clockwrlock(pthread_rwlock_t* l, clockid_t c, const timespec* t) {
    return has_turn() ? lock_exclusive(key(l), deadline_of(c, t), false, PC) : 0;
}
HEDDLE_HOOK int pthread_rwlock_unlock(pthread_rwlock_t* l) {
    return has_turn() ? unlock_shared_or_exclusive(key(l), PC) : 0;
}

HEDDLE_HOOK int pthread_once(pthread_once_t* control, void (*routine)()) {
    return has_turn() ? run_once(control, routine, PC) : real().once(control, routine);
}

// The Itanium C++ ABI's guard of a function's static variable: the first byte says "done".
HEDDLE_HOOK int __cxa_guard_acquire(char* guard) {
    if (!has_turn()) return *guard == 0;
    point(op::guard, key(guard), PC, true);
    sync_object& o = sync_at(key(guard));
    while (o.count == 1) block(wait_for::guard, key(guard), never, PC);
    acquire_from(o.clock, self);
    if (*guard != 0) return 0;
    o.count = 1;
    o.owner = self;
    o.held_from = here(PC);
    return 1;
}
HEDDLE_HOOK void __cxa_guard_release(char* guard) {
    *guard = 1;
    if (!has_turn()) return;
    sync_object& o = sync_at(key(guard));
    o.count = 2;
    o.owner = nullptr;
    release_store(key(guard)); // the compiled code loads the byte with acquire
    release_into(o.clock, self);
    wake_all(wait_for::guard, key(guard));
}
HEDDLE_HOOK void __cxa_guard_abort(char* guard) {
    if (!has_turn()) return;
    sync_object& o = sync_at(key(guard));
    o.count = 0;
    o.owner = nullptr;
    release_into(o.clock, self);
    wake_all(wait_for::guard, key(guard));
}

HEDDLE_HOOK long syscall(long number, ...) {
    va_list more;
    va_start(more, number);
    long a[6];
    for (long& x : a) x = va_arg(more, long);
    va_end(more);
    if (has_turn()) {
        if (number == SYS_futex)
            return answer(futex(reinterpret_cast<u32*>(a[0]),
                                static_cast<int>(a[1]),
                                static_cast<u32>(a[2]),
                                reinterpret_cast<const timespec*>(a[3]),
                                PC));
        if (number == SYS_sched_yield) {
            yield_turn(op::yield, PC);
            return 0;
        }
        if (number == SYS_clone || number == SYS_vfork || number == SYS_fork)
            note_limit(limit_raw_clone);
    }
    const long result = kernel(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (result >= 0 || result < -4095) return result;
    errno = static_cast<int>(-result);
    return -1;
}
