// What instrumented code calls for plain memory accesses and function frames.
#include "access.hpp"
#include "dead_frames.hpp"
#include "record.hpp"
#include "shadow.hpp"

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

/// An access that is, or may be, more than a look at the shadow. Its step is counted.
__attribute__((noinline)) void attend(u64 address, u32 size, bool write, u64 pc) {
    if (!has_turn()) return;
    if (write) self->changed_at = g.step;
    plain_point(address, pc, write);
    check_access(address, size, write, false, pc);
    if (g.recording) record_access(write ? op::write : op::read, address, size, pc);
}

/// The hottest code of all: what most accesses need, in a handful of instructions.
template <u32 size, bool write>
inline __attribute__((always_inline)) void access_memory(const void* p, u64 pc) {
    thread* t = self;
    if (t != g.current) [[unlikely]]
        return; // null before control begins; usual_until is 0 then
    const u64 address = address_of(p);
    const u64 step = ++g.step;
    if (size <= 8 && step < g.usual_until) [[likely]] {
        if (write) t->changed_at = step;
        const cell* c = cell_if_any(address);
        if (c == nullptr || !known_in<size, write>(*c, t, address)) [[unlikely]]
            check_access(address, size, write, false, pc);
        return;
    }
    if (step >= g.attention || (g.watching && !surely_unlearned(pc))) [[unlikely]]
        return attend(address, size, write, pc);
    if (write) t->changed_at = step;
    if (size > 8 || !nothing_new<size, write>(t, address)) [[unlikely]]
        check_access(address, size, write, false, pc);
}

void deepen(thread* t) {
    call* more = arena_array<call>(t->room * 2);
    for (u32 i = 0; i < t->room; ++i) more[i] = t->stack[i];
    t->stack = more;
    t->room *= 2;
}

/// From a function's frame address to its caller's stack pointer.
constexpr u64 callers_frame = 16;

/// In the recording run: where the frame begins, found by the return address that stands below it.
u64 find_frame(u64 return_address, const void* from) {
    const auto* word = static_cast<const u64*>(from);
    const u64* end = reinterpret_cast<const u64*>(self->stack_high);
    const u64* limit = word + 8192 < end ? word + 8192 : end;
    for (; word < limit; ++word)
        if (*word == return_address) return address_of(word + 1);
    return 0;
}

} // namespace

extern "C" __attribute__((visibility("hidden"))) const char __ehdr_start; // by the linker
extern "C" __attribute__((visibility("hidden"))) const char _end;

namespace heddle::check::rt {

void access_range(const void* p, std::size_t size, bool write, u64 pc, u64 inside) {
    if (!has_turn() || size == 0) return;
    const u64 address = address_of(p);
    ++g.step;
    if (write) self->changed_at = g.step;
    plain_point(address, pc, write);
    check_access(address, size, write, false, pc);
    if (!g.recording) return;
    const u32 shown = static_cast<u32>(size > 255 ? 255 : size);
    record_access(write ? op::write : op::read, address, shown, pc)->aux = inside;
}

void access_for(const void* p, std::size_t size, bool write, u64 pc) {
    // The runtime's own copies come here too; they are none of the program's.
    const bool ours = pc >= address_of(&__ehdr_start) && pc < address_of(&_end);
    if (size == 0 || !has_turn() || ours) return;
    if (in_system_module(pc)) check_access(address_of(p), size, write, false, pc);
    else access_range(p, size, write, pc);
}

} // namespace heddle::check::rt

HEDDLE_HOOK void __tsan_init() {
    ensure_started();
}

HEDDLE_HOOK void __tsan_func_entry(void* return_address) {
    thread* t = self;
    if (t == nullptr) return;
    if (t->depth == t->room && t->room < max_depth && t == g.current) deepen(t);
    if (t->depth < t->room) {
        const u64 pc = address_of(return_address);
        const void* frame = __builtin_frame_address(0);
        t->stack[t->depth] = {
            pc, g.recording ? find_frame(pc, frame) : 0, PC, address_of(frame) + callers_frame};
    }
    ++t->depth;
}

HEDDLE_HOOK void __tsan_func_exit() {
    thread* t = self;
    if (t == nullptr || t->depth == 0) return;
    --t->depth;
    if (g.solo || t != g.current || t->depth >= t->room) return;
    end_frame(t, t->stack[t->depth], address_of(__builtin_frame_address(0)) + callers_frame, PC);
}

#define ACCESSES(size)                                                                             \
    HEDDLE_HOOK void __tsan_read##size(void* p) {                                                  \
        access_memory<size, false>(p, PC);                                                         \
    }                                                                                              \
    HEDDLE_HOOK void __tsan_write##size(void* p) {                                                 \
        access_memory<size, true>(p, PC);                                                          \
    }                                                                                              \
    HEDDLE_HOOK void __tsan_read##size##_pc(void* p, void* pc) {                                   \
        access_memory<size, false>(p, address_of(pc));                                             \
    }                                                                                              \
    HEDDLE_HOOK void __tsan_write##size##_pc(void* p, void* pc) {                                  \
        access_memory<size, true>(p, address_of(pc));                                              \
    }                                                                                              \
    HEDDLE_HOOK void __tsan_volatile_read##size(void* p) {                                         \
        access_memory<size, false>(p, PC);                                                         \
    }                                                                                              \
    HEDDLE_HOOK void __tsan_volatile_write##size(void* p) {                                        \
        access_memory<size, true>(p, PC);                                                          \
    }                                                                                              \
    HEDDLE_HOOK void __tsan_unaligned_read##size(void* p) {                                        \
        access_range(p, size, false, PC);                                                          \
    }                                                                                              \
    HEDDLE_HOOK void __tsan_unaligned_write##size(void* p) {                                       \
        access_range(p, size, true, PC);                                                           \
    }                                                                                              \
    HEDDLE_HOOK void __tsan_unaligned_volatile_read##size(void* p) {                               \
        access_range(p, size, false, PC);                                                          \
    }                                                                                              \
    HEDDLE_HOOK void __tsan_unaligned_volatile_write##size(void* p) {                              \
        access_range(p, size, true, PC);                                                           \
    }                                                                                              \
    HEDDLE_HOOK void __tsan_read_write##size(void* p) {                                            \
        access_memory<size, false>(p, PC);                                                         \
        access_memory<size, true>(p, PC);                                                          \
    }                                                                                              \
    HEDDLE_HOOK void __tsan_unaligned_read_write##size(void* p) {                                  \
        access_range(p, size, false, PC);                                                          \
        access_range(p, size, true, PC);                                                           \
    }

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

HEDDLE_HOOK void __tsan_read_range(void* p, unsigned long size) {
    access_range(p, size, false, PC);
}
HEDDLE_HOOK void __tsan_write_range(void* p, unsigned long size) {
    access_range(p, size, true, PC);
}
HEDDLE_HOOK void __tsan_read_range_pc(void* p, unsigned long size, void* pc) {
    access_range(p, size, false, address_of(pc));
}
HEDDLE_HOOK void __tsan_write_range_pc(void* p, unsigned long size, void* pc) {
    access_range(p, size, true, address_of(pc));
}

// A destructor sets the object's vptr again; when that changes nothing, nobody can notice. It is a
// step all the same: a constructor may find the value of an object that was there before, or what
// the runtime has left on the stack since, and a replay leaves there something else.
HEDDLE_HOOK void __tsan_vptr_update(void** p, void* value) {
    if (*p != value) return access_memory<8, true>(p, PC);
    if (!has_turn()) return;
    self->changed_at = ++g.step;
    plain_point(address_of(p), PC, true);
}
HEDDLE_HOOK void __tsan_vptr_read(void** p) {
    access_memory<8, false>(p, PC);
}
