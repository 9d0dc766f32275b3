// pthread mutexes and spin locks.
#include "real.hpp"
#include "record.hpp"
#include "sync.hpp"
#include "threads.hpp"

#include <time.h>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

constexpr int robust_bit = 16; // of glibc's mutex kind

u64 key(const volatile void* p) {
    return address_of(p);
}

} // namespace

namespace heddle::check::rt {

int try_lock_object(u64 address, int type, u64 pc) {
    thread* t = self;
    const u64 quiet = quiet_steps();
    learn_operation(pc);
    point(op::try_lock, address, pc, true);
    sync_object& o = sync_at(address);
    if (o.owner == t && type == PTHREAD_MUTEX_RECURSIVE) {
        ++o.depth;
        return 0;
    }
    if (o.owner != nullptr) {
        still_quiet(quiet);
        note_fruitless({pc, address, 0, address_of(o.owner), 0, true, 0});
        record(op::try_lock, address, pc, o.owner->id);
        return EBUSY;
    }
    const bool orphaned = o.owner_died;
    o.owner_died = false;
    o.owner = t;
    ++t->locks;
    o.depth = 1;
    o.held_from = here(pc);
    acquire_from(o.clock, t);
    record(op::lock, address, pc);
    return orphaned ? EOWNERDEAD : 0;
}

int release_object(u64 address, int type, u64 pc) {
    sync_object& o = sync_at(address);
    if (o.owner != self) {
        // Only a checked mutex must say so; for the others it is undefined, and glibc unlocks.
        if (type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK) return EPERM;
        if (o.owner == nullptr) return 0;
    }
    if (o.depth > 1) {
        --o.depth;
        return 0;
    }
    record(op::unlock, address, pc);
    unlock_object(address);
    // A point after the act: between this and the next operation others may take the lock.
    point(op::unlock, address, pc, true);
    return 0;
}

} // namespace heddle::check::rt

HEDDLE_HOOK int pthread_mutex_init(pthread_mutex_t* m, const pthread_mutexattr_t* a) {
    if (has_turn()) forget_sync(key(m));
    return real().mutex_init(m, a);
}
HEDDLE_HOOK int pthread_mutex_destroy(pthread_mutex_t* m) {
    if (!has_turn()) return real().mutex_destroy(m);
    const sync_object* o = find_sync(key(m));
    if (o != nullptr && o->owner != nullptr) return EBUSY;
    forget_sync(key(m));
    return 0;
}
HEDDLE_HOOK int pthread_mutex_lock(pthread_mutex_t* m) {
    if (!has_turn()) return real().mutex_lock(m);
    if ((m->__data.__kind & robust_bit) != 0) sync_at(key(m)).robust = true;
    return lock_object(key(m), mutex_type(m), never, PC);
}
HEDDLE_HOOK int pthread_mutex_trylock(pthread_mutex_t* m) {
    if (!has_turn()) return real().mutex_trylock(m);
    return try_lock_object(key(m), mutex_type(m), PC);
}
HEDDLE_HOOK int pthread_mutex_timedlock(pthread_mutex_t* m, const timespec* until) {
    if (!has_turn()) return real().mutex_lock(m);
    return lock_object(key(m), mutex_type(m), deadline_of(CLOCK_REALTIME, until), PC);
}
HEDDLE_HOOK int pthread_mutex_clocklock(pthread_mutex_t* m, clockid_t c, const timespec* until) {
    if (!has_turn()) return real().mutex_lock(m);
    return lock_object(key(m), mutex_type(m), deadline_of(c, until), PC);
}
HEDDLE_HOOK int pthread_mutex_unlock(pthread_mutex_t* m) {
    if (!has_turn()) return real().mutex_unlock(m);
    return release_object(key(m), mutex_type(m), PC);
}
HEDDLE_HOOK int pthread_mutex_consistent(pthread_mutex_t*) {
    return 0; // the next owner of a robust mutex is consistent from the start
}

HEDDLE_HOOK int pthread_spin_init(pthread_spinlock_t* s, int) {
    if (has_turn()) forget_sync(key(s));
    return 0;
}
HEDDLE_HOOK int pthread_spin_destroy(pthread_spinlock_t* s) {
    if (has_turn()) forget_sync(key(s));
    return 0;
}
HEDDLE_HOOK int pthread_spin_lock(pthread_spinlock_t* s) {
    return has_turn() ? lock_object(key(s), PTHREAD_MUTEX_NORMAL, never, PC, wait_for::spin) : 0;
}
HEDDLE_HOOK int pthread_spin_trylock(pthread_spinlock_t* s) {
    return has_turn() ? try_lock_object(key(s), PTHREAD_MUTEX_NORMAL, PC) : 0;
}
HEDDLE_HOOK int pthread_spin_unlock(pthread_spinlock_t* s) {
    return has_turn() ? release_object(key(s), PTHREAD_MUTEX_NORMAL, PC) : 0;
}

// Annotations for home-made locks (<sanitizer/tsan_interface.h>).
HEDDLE_HOOK void __tsan_acquire(void* p) {
    if (has_turn()) acquire_from(sync_at(key(p)).clock, self);
}
HEDDLE_HOOK void __tsan_release(void* p) {
    if (has_turn()) release_into(sync_at(key(p)).clock, self);
}
HEDDLE_HOOK void __tsan_mutex_create(void*, unsigned) {}
HEDDLE_HOOK void __tsan_mutex_destroy(void*, unsigned) {}
HEDDLE_HOOK void __tsan_mutex_pre_lock(void*, unsigned) {}
HEDDLE_HOOK void __tsan_mutex_post_lock(void* p, unsigned, int) {
    if (has_turn()) acquire_from(sync_at(key(p)).clock, self);
}
HEDDLE_HOOK int __tsan_mutex_pre_unlock(void* p, unsigned) {
    if (has_turn()) release_into(sync_at(key(p)).clock, self);
    return 0;
}
HEDDLE_HOOK void __tsan_mutex_post_unlock(void*, unsigned) {}
HEDDLE_HOOK void __tsan_mutex_pre_signal(void*, unsigned) {}
HEDDLE_HOOK void __tsan_mutex_post_signal(void*, unsigned) {}
HEDDLE_HOOK void __tsan_mutex_pre_divert(void*, unsigned) {}
HEDDLE_HOOK void __tsan_mutex_post_divert(void*, unsigned) {}

namespace heddle::check::rt {

/// A thread that ends while it holds a robust mutex leaves it to the next one, told EOWNERDEAD.
void orphan_locks(thread* t) {
    each_sync(
        [](u64 address, sync_object& o, thread* dead) {
            if (o.owner != dead) return;
            if (!o.robust) return;
            o.owner_died = true;
            unlock_object(address);
        },
        t);
}

} // namespace heddle::check::rt
