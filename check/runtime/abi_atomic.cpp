// What instrumented code calls for atomic operations. They act on the program's memory at once, in
// the order of execution (sequential consistency); the memory orders decide only what happened
// before what.
#include "record.hpp"
#include "shadow.hpp"
#include "sync.hpp"

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

__extension__ using u128 = unsigned __int128;

bool acquires(int order) {
    order &= 7; // hints about lock elision may stand above
    return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE;
}
bool releases(int order) {
    order &= 7;
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

address_map<vector_clock> release_clocks;

/// A load reads what the location's release sequence carries, for now or for a later fence.
void synchronise_load(u64 address, int order) {
    const vector_clock* l = release_clocks.find(address);
    if (l == nullptr) return;
    if (acquires(order)) self->clock.join(*l);
    else self->acquire_fence.join(*l);
}

void synchronise_store(u64 address, int order) {
    thread* t = self;
    if (releases(order)) {
        release_clocks.at(address).assign(t->clock);
        advance_clock(t);
    } else {
        release_clocks.at(address).assign(t->release_fence); // a relaxed store ends the sequence
    }
}

/// A read-modify-write continues the release sequence and may join its own.
void synchronise_rmw(u64 address, int order) {
    synchronise_load(address, order);
    thread* t = self;
    if (releases(order)) {
        release_clocks.at(address).join(t->clock);
        advance_clock(t);
    } else {
        release_clocks.at(address).join(t->release_fence);
    }
}

// One thread has the turn, so these are atomic towards all controlled code; the hardware's atomics
// are for code that is not. 16 bytes would need libatomic and are plain.
template <class T>
T raw_load(const volatile T* p) {
    if constexpr (sizeof(T) == 16) return *p;
    else return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

template <class T>
void raw_store(volatile T* p, T value) {
    if constexpr (sizeof(T) == 16) *p = value;
    else __atomic_store_n(p, value, __ATOMIC_SEQ_CST);
}

template <class T>
bool raw_exchange_if(volatile T* p, T* expected, T value) {
    if constexpr (sizeof(T) == 16) {
        const T old = *p;
        const bool same = old == *expected;
        if (same) *p = value;
        else *expected = old;
        return same;
    } else {
        return __atomic_compare_exchange_n(
            p, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
}

/// The turn may be lost here; afterwards nobody comes between until the operation is done.
void arrive(op kind, u64 address, u64 pc, u64 intent = 0) {
    learn_operation(pc);
    self->intent = intent;
    point(kind, address, pc, kind != op::atomic_load);
}

/// Checks and records the operation that is about to be done.
event* mark(op kind, u64 address, u32 size, bool writes, int order, u64 pc) {
    check_access(address, size, writes, true, pc);
    if (!g.recording) return nullptr;
    event* line = record_access(kind, address, size, pc);
    line->order = static_cast<u8>(order);
    line->changed = writes;
    return line;
}

/// For the search to know of threads that spin. Double words count as work.
template <class T>
void changed_nothing(u64 address, T value, u64 pc, u64 intent = 0) {
    if constexpr (sizeof(T) <= 8) note_fruitless({pc, address, intent, value, sizeof(T), false, 0});
}

template <class T>
T load(const volatile T* p, int order, u64 pc) {
    if (!has_turn()) return raw_load(p);
    const u64 address = address_of(p);
    arrive(op::atomic_load, address, pc);
    mark(op::atomic_load, address, sizeof(T), false, order, pc);
    synchronise_load(address, order);
    const T value = raw_load(p);
    changed_nothing(address, value, pc);
    return value;
}

template <class T>
void store(volatile T* p, T value, int order, u64 pc) {
    if (!has_turn()) return raw_store(p, value);
    const u64 address = address_of(p);
    arrive(op::atomic_store, address, pc);
    event* line = mark(op::atomic_store, address, sizeof(T), true, order, pc);
    if (line != nullptr) line->after = static_cast<u64>(value);
    synchronise_store(address, order);
    raw_store(p, value);
}

template <class T, class F>
T modify(volatile T* p, int order, u64 pc, F&& change) {
    const u64 address = address_of(p);
    event* line = nullptr;
    const bool turn = has_turn();
    const u64 intent = static_cast<u64>(change(0)) * 31 + static_cast<u64>(change(1));
    const u64 quiet = turn ? quiet_steps() : 0;
    if (turn) {
        arrive(op::atomic_rmw, address, pc, intent);
        line = mark(op::atomic_rmw, address, sizeof(T), true, order, pc);
        synchronise_rmw(address, order);
    }
    T old = raw_load(p);
    while (!raw_exchange_if(p, &old, change(old))) {
    } // only code outside of our control can come between
    if (line != nullptr) line->after = static_cast<u64>(change(old));
    if (turn && change(old) == old) { // an exchange that did not get the lock
        still_quiet(quiet);
        changed_nothing(address, old, pc, intent);
    }
    return old;
}

template <class T>
bool compare_exchange(volatile T* p, T* expected, T value, int order, int failed, u64 pc) {
    if (!has_turn()) return raw_exchange_if(p, expected, value);
    const u64 quiet = quiet_steps();
    const u64 address = address_of(p);
    const u64 intent = static_cast<u64>(*expected) + 1;
    arrive(op::atomic_rmw, address, pc, intent);
    const T found = raw_load(p);
    const bool will = found == *expected;
    event* line = mark(op::atomic_rmw, address, sizeof(T), will, will ? order : failed, pc);
    if (!will) {
        synchronise_load(address, failed);
        still_quiet(quiet);
        changed_nothing(address, found, pc, intent);
        *expected = found;
        return false;
    }
    synchronise_rmw(address, order);
    if (line != nullptr) line->after = static_cast<u64>(value);
    return raw_exchange_if(p, expected, value);
}

void fence(int order, u64 pc) {
    if (!has_turn()) return __atomic_thread_fence(__ATOMIC_SEQ_CST);
    thread* t = self;
    point(op::fence, 0, pc, false);
    if (event* e = record(op::fence, 0, pc)) e->order = static_cast<u8>(order);
    if (acquires(order)) t->clock.join(t->acquire_fence);
    if (releases(order)) {
        t->release_fence.assign(t->clock);
        advance_clock(t);
    }
    note_fruitless({pc, 0, 0, 0, 0, false, 0});
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

} // namespace

namespace heddle::check::rt {

void release_store(u64 address) {
    synchronise_store(address, __ATOMIC_RELEASE);
}

void forget_atomic(u64 address) {
    if (release_clocks.find(address) != nullptr) release_clocks.reset(address);
}

} // namespace heddle::check::rt

#define FETCH(bits, T, name, expression)                                                           \
    HEDDLE_HOOK T __tsan_atomic##bits##_##name(volatile T* p, T v, int order) {                    \
        return modify(p, order, PC, [v](T old) { return static_cast<T>(expression); });            \
    }

#define ATOMICS(bits, T)                                                                           \
    HEDDLE_HOOK T __tsan_atomic##bits##_load(const volatile T* p, int order) {                     \
        return load(p, order, PC);                                                                 \
    }                                                                                              \
    HEDDLE_HOOK void __tsan_atomic##bits##_store(volatile T* p, T v, int order) {                  \
        store(p, v, order, PC);                                                                    \
    }                                                                                              \
    FETCH(bits, T, exchange, ((void)old, v))                                                       \
    FETCH(bits, T, fetch_add, old + v)                                                             \
    FETCH(bits, T, fetch_sub, old - v)                                                             \
    FETCH(bits, T, fetch_and, old& v)                                                              \
    FETCH(bits, T, fetch_or, old | v)                                                              \
    FETCH(bits, T, fetch_xor, old ^ v)                                                             \
    FETCH(bits, T, fetch_nand, ~(old & v))                                                         \
    HEDDLE_HOOK int __tsan_atomic##bits##_compare_exchange_strong(                                 \
        volatile T* p, T* expected, T v, int order, int failed) {                                  \
        return compare_exchange(p, expected, v, order, failed, PC);                                \
    }                                                                                              \
    HEDDLE_HOOK int __tsan_atomic##bits##_compare_exchange_weak(                                   \
        volatile T* p, T* expected, T v, int order, int failed) {                                  \
        return compare_exchange(p, expected, v, order, failed, PC);                                \
    }                                                                                              \
    HEDDLE_HOOK T __tsan_atomic##bits##_compare_exchange_val(                                      \
        volatile T* p, T expected, T v, int order, int failed) {                                   \
        compare_exchange(p, &expected, v, order, failed, PC);                                      \
        return expected;                                                                           \
    }

ATOMICS(8, u8)
ATOMICS(16, u16)
ATOMICS(32, u32)
ATOMICS(64, u64)
ATOMICS(128, u128)

HEDDLE_HOOK void __tsan_atomic_thread_fence(int order) {
    fence(order, PC);
}
HEDDLE_HOOK void __tsan_atomic_signal_fence(int) {}
