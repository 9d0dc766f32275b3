// Condition variables, semaphores, barriers.
#include "real.hpp"
#include "record.hpp"
#include "sync.hpp"

#include <fcntl.h>
#include <semaphore.h>

#include <cstdarg>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

u64 key(const volatile void* p) {
    return address_of(p);
}

int fail_with(int error) {
    if (error == 0) return 0;
    errno = error;
    return -1;
}

/// Named semaphores live in this process only: what another process does is not controlled.
struct named_semaphore {
    char name[64];
    sem_t semaphore;
};
named_semaphore* named[64];

} // namespace

namespace heddle::check::rt {

int wait_condition(u64 condition, u64 mutex, i64 deadline, u64 pc) {
    learn_operation(pc);
    point(op::cond_wait, condition, pc, true);
    record(op::cond_wait, condition, pc, mutex);
    sync_at(condition);
    const u32 depth = unlock_object(mutex);
    self->wait_value = mutex;
    const bool notified = block(wait_for::condition, condition, deadline, pc);
    record(op::cond_woken, condition, pc, self->spurious ? woken_spuriously : notified);
    relock_object(mutex, depth, pc);
    return notified ? 0 : ETIMEDOUT;
}

int notify_condition(u64 condition, bool all, u64 pc) {
    learn_operation(pc);
    point(all ? op::notify_all : op::notify_one, condition, pc, true);
    thread* found[max_threads];
    const u32 n = waiters(wait_for::condition, condition, found);
    event* e = record(all ? op::notify_all : op::notify_one, condition, pc, n);
    sync_object& o = sync_at(condition);
    if (n == 0) {
        ++o.missed;
        o.missed_step = g.step;
        return 0;
    }
    if (!all) {
        const u32 chosen = choose_waiter(n);
        if (e != nullptr) e->after = found[chosen]->id;
        wake(found[chosen]);
        return 0;
    }
    for (u32 i = 0; i < n; ++i) wake(found[i]);
    return 0;
}

} // namespace heddle::check::rt

HEDDLE_HOOK int pthread_cond_init(pthread_cond_t* c, const pthread_condattr_t* a) {
    __builtin_memset(c, 0, sizeof *c);
    clockid_t clock = CLOCK_REALTIME;
    if (a != nullptr) pthread_condattr_getclock(a, &clock);
    if (has_turn()) {
        forget_sync(key(c));
        sync_at(key(c)).limit = static_cast<u32>(clock);
    }
    return 0;
}
HEDDLE_HOOK int pthread_cond_destroy(pthread_cond_t* c) {
    if (has_turn()) forget_sync(key(c));
    return 0;
}
HEDDLE_HOOK int pthread_cond_wait(pthread_cond_t* c, pthread_mutex_t* m) {
    if (!has_turn()) return real().cond_wait(c, m);
    return wait_condition(key(c), key(m), never, PC);
}
HEDDLE_HOOK int pthread_cond_timedwait(pthread_cond_t* c, pthread_mutex_t* m, const timespec* t) {
    if (!has_turn()) return real().cond_wait(c, m);
    const int clock = static_cast<int>(sync_at(key(c)).limit);
    return wait_condition(key(c), key(m), deadline_of(clock, t), PC);
}
HEDDLE_HOOK int
pthread_cond_clockwait(pthread_cond_t* c, pthread_mutex_t* m, clockid_t clock, const timespec* t) {
    if (!has_turn()) return real().cond_wait(c, m);
    return wait_condition(key(c), key(m), deadline_of(clock, t), PC);
}
HEDDLE_HOOK int pthread_cond_signal(pthread_cond_t* c) {
    return has_turn() ? notify_condition(key(c), false, PC) : real().cond_signal(c);
}
HEDDLE_HOOK int pthread_cond_broadcast(pthread_cond_t* c) {
    return has_turn() ? notify_condition(key(c), true, PC) : real().cond_broadcast(c);
}

HEDDLE_HOOK int sem_init(sem_t* s, int, unsigned value) {
    forget_sync(key(s));
    sync_at(key(s)).count = value;
    return 0;
}
HEDDLE_HOOK int sem_destroy(sem_t* s) {
    forget_sync(key(s));
    return 0;
}
HEDDLE_HOOK int sem_getvalue(sem_t* s, int* value) {
    *value = static_cast<int>(sync_at(key(s)).count);
    return 0;
}
HEDDLE_HOOK int sem_wait(sem_t* s) {
    return has_turn() ? semaphore_wait(key(s), never, PC) : 0;
}
HEDDLE_HOOK int sem_timedwait(sem_t* s, const timespec* until) {
    if (!has_turn()) return 0;
    return fail_with(semaphore_wait(key(s), deadline_of(CLOCK_REALTIME, until), PC));
}
HEDDLE_HOOK int sem_clockwait(sem_t* s, clockid_t clock, const timespec* until) {
    if (!has_turn()) return 0;
    return fail_with(semaphore_wait(key(s), deadline_of(clock, until), PC));
}
HEDDLE_HOOK int sem_trywait(sem_t* s) {
    if (!has_turn()) return 0;
    thread* t = self;
    const u64 quiet = quiet_steps();
    point(op::sem_wait, key(s), PC, true);
    sync_object& o = sync_at(key(s));
    if (o.count == 0) {
        still_quiet(quiet);
        return fail_with(EAGAIN);
    }
    --o.count;
    ++t->locks;
    acquire_from(o.clock, t);
    record(op::sem_wait, key(s), PC, o.count);
    return 0;
}
HEDDLE_HOOK int sem_post(sem_t* s) {
    if (!has_turn()) return 0;
    point(op::sem_post, key(s), PC, true);
    if (self->locks > 0) --self->locks;
    sync_object& o = sync_at(key(s));
    ++o.count;
    release_into(o.clock, self);
    const u32 n = wake_all(wait_for::semaphore, key(s)); // they compete; the losers wait again
    record(op::sem_post, key(s), PC, n);
    return 0;
}
HEDDLE_HOOK sem_t* sem_open(const char* name, int flags, ...) {
    unsigned value = 0;
    if ((flags & O_CREAT) != 0) {
        va_list more;
        va_start(more, flags);
        va_arg(more, unsigned); // the mode
        value = va_arg(more, unsigned);
        va_end(more);
    }
    for (named_semaphore*& n : named) {
        if (n != nullptr && __builtin_strncmp(n->name, name, sizeof n->name - 1) == 0)
            return &n->semaphore;
        if (n != nullptr) continue;
        if ((flags & O_CREAT) == 0) break;
        n = arena_new<named_semaphore>();
        __builtin_strncpy(n->name, name, sizeof n->name - 1);
        sync_at(key(&n->semaphore)).count = value;
        return &n->semaphore;
    }
    errno = ENOENT;
    return SEM_FAILED;
}
HEDDLE_HOOK int sem_close(sem_t*) {
    return 0;
}
HEDDLE_HOOK int sem_unlink(const char*) {
    return 0;
}

HEDDLE_HOOK int
pthread_barrier_init(pthread_barrier_t* b, const pthread_barrierattr_t*, unsigned count) {
    if (count == 0) return EINVAL;
    forget_sync(key(b));
    sync_at(key(b)).limit = count;
    return 0;
}
HEDDLE_HOOK int pthread_barrier_destroy(pthread_barrier_t* b) {
    forget_sync(key(b));
    return 0;
}
HEDDLE_HOOK int pthread_barrier_wait(pthread_barrier_t* b) {
    if (!has_turn()) return 0;
    point(op::barrier_wait, key(b), PC, true);
    sync_object& o = sync_at(key(b));
    record(op::barrier_wait, key(b), PC, o.count);
    release_into(o.clock, self);
    const u32 round = o.round;
    if (++o.count == o.limit) {
        o.count = 0;
        ++o.round;
        // The next round releases into a clock of its own, or it would order what is not ordered.
        o.read_clock.assign(o.clock);
        o.clock.clear();
        wake_all(wait_for::barrier, key(b));
        acquire_from(o.read_clock, self);
        return PTHREAD_BARRIER_SERIAL_THREAD;
    }
    while (o.round == round) block(wait_for::barrier, key(b), never, PC);
    acquire_from(o.read_clock, self);
    return 0;
}
