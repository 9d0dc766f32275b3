#include "sync.hpp"

#include "record.hpp"

#include <time.h>

namespace heddle::check::rt {

namespace {

address_map<sync_object> objects;

} // namespace

void forget_atomic(u64 address); // abi_atomic.cpp

sync_object& sync_at(u64 address) {
    return objects.at(address);
}

sync_object* find_sync(u64 address) {
    return objects.find(address);
}

void forget_sync(u64 address) {
    if (objects.find(address) != nullptr) objects.reset(address);
    forget_atomic(address);
}

void each_sync(void (*visit)(u64, sync_object&, thread*), thread* t) {
    objects.each([&](u64 address, sync_object& o) { visit(address, o, t); });
}

void release_into(vector_clock& into, thread* t) {
    into.join(t->clock);
    advance_clock(t);
}

void acquire_from(const vector_clock& from, thread* t) {
    t->clock.join(from);
}

i64 deadline_of(int clock, const timespec* time) {
    if (time == nullptr) return never;
    i64 ns = time->tv_sec * 1'000'000'000 + time->tv_nsec;
    if (time->tv_sec > 4'000'000'000) ns = 4'000'000'000'000'000'000; // as good as for ever
    if (clock < 0) ns += clock_ns();
    else if (clock == CLOCK_REALTIME) ns -= g.shared->config.wall_base_ns;
    else ns -= g.shared->config.steady_base_ns;
    return ns < 0 ? 0 : ns;
}

int mutex_type(const pthread_mutex_t* m) {
    return m->__data.__kind & 3;
}

int lock_object(u64 address, int type, i64 deadline, u64 pc, wait_for what) {
    thread* t = self;
    learn_operation(pc);
    point(op::lock, address, pc, true);
    sync_object& o = sync_at(address);
    if (o.owner == t && type == PTHREAD_MUTEX_RECURSIVE) {
        ++o.depth;
        return 0;
    }
    if (o.owner == t && type == PTHREAD_MUTEX_ERRORCHECK) return EDEADLK;
    while (o.owner != nullptr)
        if (!block(what, address, deadline, pc)) return ETIMEDOUT;
    const bool orphaned = o.owner_died;
    o.owner = t;
    ++t->locks;
    o.owner_died = false;
    o.depth = 1;
    o.held_from = here(pc);
    acquire_from(o.clock, t);
    record(op::lock, address, pc);
    return orphaned ? EOWNERDEAD : 0;
}

u32 unlock_object(u64 address) {
    sync_object& o = sync_at(address);
    const u32 depth = o.depth;
    release_into(o.clock, self);
    if (o.owner != nullptr && o.owner->locks > 0) --o.owner->locks;
    o.owner = nullptr;
    o.depth = 0;
    for (u32 i = 0; i < g.count; ++i) {
        thread* t = g.threads[i];
        const bool lock = t->waiting == wait_for::mutex || t->waiting == wait_for::spin;
        if (t->state == thread::blocked && lock && t->wait_address == address) wake(t);
    }
    return depth;
}

void relock_object(u64 address, u32 depth, u64 pc) {
    sync_object& o = sync_at(address);
    while (o.owner != nullptr) block(wait_for::mutex, address, never, pc);
    o.owner = self;
    ++self->locks;
    o.depth = depth;
    o.held_from = here(pc);
    acquire_from(o.clock, self);
    record(op::lock, address, pc);
}

int semaphore_wait(u64 address, i64 deadline, u64 pc) {
    point(op::sem_wait, address, pc, true);
    sync_object& o = sync_at(address);
    while (o.count == 0)
        if (!block(wait_for::semaphore, address, deadline, pc)) return ETIMEDOUT;
    --o.count;
    ++self->locks;
    acquire_from(o.clock, self);
    record(op::sem_wait, address, pc, o.count);
    return 0;
}

} // namespace heddle::check::rt
