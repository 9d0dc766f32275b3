#include "threads.hpp"

#include "dead_frames.hpp"
#include "real.hpp"
#include "record.hpp"
#include "shadow.hpp"
#include "sync.hpp"

#include <unistd.h>

#include <cstring>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace heddle::check::rt {

/// A destructor of a thread_local object, waiting for its thread to end.
struct exit_function {
    void (*run)(void*);
    void* object;
    exit_function* next;
};

namespace {

struct thread_key {
    pthread_key_t key;
    void (*destroy)(void*);
};
constexpr u32 max_keys = 1024;
thread_key keys[max_keys];
u32 key_count;

void find_stack(thread* t) {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    void* low = nullptr;
    std::size_t size = 0;
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
    t->stack_low = address_of(low);
    t->stack_high = t->stack_low + size;
    if (g.stacks_low == 0 || t->stack_low < g.stacks_low) g.stacks_low = t->stack_low;
    if (t->stack_high > g.stacks_high) g.stacks_high = t->stack_high;
}

/// Stacks are used again: what the last thread did there is nothing to the next.
void clear_stack_shadow(thread* t) {
    for (u32 i = 0; i < g.count; ++i) {
        const thread* o = g.threads[i];
        if (o == t || o->stack_high <= t->stack_low || o->stack_low >= t->stack_high) continue;
        shadow_clear(t->stack_low, t->stack_high - t->stack_low);
        return;
    }
}

/// Ends the thread however its start routine is left: by return, pthread_exit or cancellation.
struct thread_end {
    ~thread_end() {
        run_thread_destructors();
        point(op::thread_end, 0, 0, true);
        record(op::thread_end, 0, PC);
        thread* t = self;
        orphan_locks(t);
        end_stack(t);
        end_thread();
    }
};

void* run_thread(void* argument) {
    auto* t = static_cast<thread*>(argument);
    begin_thread(t);
    find_stack(t);
    clear_stack_shadow(t);
    record(op::start, 0, address_of(reinterpret_cast<void*>(t->start)));
    const thread_end at_end;
    t->result = t->start(t->argument);
    return t->result;
}

void reap(thread* t) {
    t->joined = true;
    real().join(t->handle, nullptr);
}

int wait_for_end(thread* t, i64 deadline, u64 pc) {
    while (t->state != thread::finished)
        if (!block(wait_for::join, address_of(t), deadline, pc)) return ETIMEDOUT;
    return 0;
}

} // namespace

int join_thread(pthread_t handle, void** result, i64 deadline, u64 pc) {
    thread* t = thread_of(handle);
    if (t == nullptr) return ESRCH;
    point(op::join, address_of(t), pc, true);
    if (t == self) return EDEADLK;
    if (t->detached) return EINVAL;
    if (wait_for_end(t, deadline, pc) != 0) return ETIMEDOUT;
    acquire_from(t->clock, self);
    --g.unjoined;
    count_changed();
    record(op::join, 0, pc, t->id);
    reap(t);
    if (result != nullptr) *result = t->canceled ? PTHREAD_CANCELED : t->result;
    return 0;
}

thread* thread_of(pthread_t handle) {
    for (u32 i = g.count; i > 0; --i) // the newest first: handles are used again
        if (g.threads[i - 1]->handle == handle && !g.threads[i - 1]->joined)
            return g.threads[i - 1];
    return nullptr;
}

thread* new_thread() {
    if (g.count == max_threads) return nullptr;
    thread* t = arena_new<thread>();
    t->id = g.count;
    t->deadline = never;
    t->room = 32;
    t->stack = arena_array<call>(t->room);
    t->pending = op::start;
    t->changed_at = t->gave_at = g.step;
    advance_clock(t);
    g.threads[g.count++] = t;
    ++g.alive;
    if (t->id != 0) ++g.unjoined;
    count_changed();
    return t;
}

void ensure_started() {
    if (self != nullptr || g.count != 0) return;
    self = new_thread();
    self->handle = pthread_self();
    find_stack(self);
}

int create_thread(pthread_t* into,
                  const pthread_attr_t* attributes,
                  void* (*start)(void*),
                  void* argument,
                  u64 pc) {
    point(op::create, 0, pc, true);
    thread* me = self;
    thread* t = new_thread();
    if (t == nullptr) {
        note_limit(limit_threads);
        return EAGAIN;
    }
    t->start = start;
    t->argument = argument;
    t->clock.join(me->clock);
    advance_clock(me);
    const int error = real().create(&t->handle, attributes, run_thread, t);
    if (error != 0) {
        t->state = thread::finished;
        --g.alive;
        --g.unjoined;
        count_changed();
        return error;
    }
    int state = PTHREAD_CREATE_JOINABLE;
    if (attributes != nullptr) pthread_attr_getdetachstate(attributes, &state);
    t->detached = state == PTHREAD_CREATE_DETACHED;
    *into = t->handle;
    record(op::create, 0, pc, t->id);
    point(op::create, 0, pc, true); // the new thread may overtake its creator
    return 0;
}

void run_thread_destructors() {
    thread* t = self;
    while (t->at_exit != nullptr) {
        exit_function* f = t->at_exit;
        t->at_exit = f->next;
        f->run(f->object);
    }
    for (int round = 0; round < 4; ++round) // PTHREAD_DESTRUCTOR_ITERATIONS
        for (u32 i = 0; i < key_count; ++i) {
            void* value = pthread_getspecific(keys[i].key);
            if (value == nullptr || keys[i].destroy == nullptr) continue;
            pthread_setspecific(keys[i].key, nullptr);
            keys[i].destroy(value);
        }
}

} // namespace heddle::check::rt

HEDDLE_HOOK int pthread_create(pthread_t* into,
                               const pthread_attr_t* attributes,
                               void* (*start)(void*),
                               void* argument) {
    if (!has_turn()) return real().create(into, attributes, start, argument);
    return create_thread(into, attributes, start, argument, PC);
}

HEDDLE_HOOK int pthread_join(pthread_t handle, void** result) {
    if (!has_turn()) return real().join(handle, result);
    return join_thread(handle, result, never, PC);
}
HEDDLE_HOOK int pthread_tryjoin_np(pthread_t handle, void** result) {
    const thread* t = has_turn() ? thread_of(handle) : nullptr;
    if (t == nullptr) return ESRCH;
    point(op::join, address_of(t), PC, false);
    return t->state == thread::finished ? join_thread(handle, result, never, PC) : EBUSY;
}
HEDDLE_HOOK int pthread_timedjoin_np(pthread_t handle, void** result, const timespec* until) {
    if (!has_turn()) return real().join(handle, result);
    return join_thread(handle, result, deadline_of(CLOCK_REALTIME, until), PC);
}
HEDDLE_HOOK int
pthread_clockjoin_np(pthread_t handle, void** result, clockid_t clock, const timespec* until) {
    if (!has_turn()) return real().join(handle, result);
    return join_thread(handle, result, deadline_of(clock, until), PC);
}
HEDDLE_HOOK int pthread_detach(pthread_t handle) {
    thread* t = has_turn() ? thread_of(handle) : nullptr;
    if (t == nullptr) return real().detach(handle);
    point(op::detach, address_of(t), PC, true);
    if (t->detached) return EINVAL;
    t->detached = true;
    record(op::detach, 0, PC, t->id);
    return real().detach(handle);
}
HEDDLE_HOOK void pthread_exit(void* result) {
    if (has_turn()) {
        self->result = result;
        if (self->id == 0) { // main has no wrapper whose destructor could do this
            run_thread_destructors();
            record(op::thread_end, 0, PC);
            end_thread();
        }
    }
    real().exit_thread(result); // unwinds; thread_end does the rest
    __builtin_unreachable();
}
HEDDLE_HOOK int pthread_cancel(pthread_t) {
    note_limit(limit_cancel);
    return ENOSYS;
}

HEDDLE_HOOK int pthread_key_create(pthread_key_t* key, void (*destroy)(void*)) {
    if (!g.controlled || key_count == max_keys) return real().key_create(key, destroy);
    const int error = real().key_create(key, nullptr);
    if (error == 0) keys[key_count++] = {*key, destroy};
    return error;
}
HEDDLE_HOOK int pthread_key_delete(pthread_key_t key) {
    for (u32 i = 0; i < key_count; ++i)
        if (keys[i].key == key) keys[i].destroy = nullptr;
    return 0; // the number is not used again: a run creates few
}

HEDDLE_HOOK int __cxa_thread_atexit_impl(void (*run)(void*), void* object, void* module) {
    if (!has_turn() || self->id == 0) return real().cxa_thread_atexit(run, object, module);
    auto* f = arena_new<exit_function>();
    *f = {run, object, self->at_exit};
    self->at_exit = f;
    return 0;
}
