#include "record.hpp"

#include "heap.hpp"

#include <cstring>

namespace heddle::check::rt {

namespace {

struct object_number {
    u32 id;
};
address_map<object_number> object_numbers;
u32 object_count;

} // namespace

void learn(u32 index, u16 level) {
    if (index == 0) return;
    location& l = g.places[index];
    if (l.id == 0) l.id = ++g.shared->location_count;
    l.pc |= learned_bit;
    if (l.level < level) l.level = level;
}

u32 object_id(u64 address) {
    object_number& n = object_numbers.at(address);
    if (n.id == 0) n.id = ++object_count;
    return n.id;
}

u64 place_key(u64 pc) {
    const thread* t = self;
    u64 key = mix(pc);
    u32 depth = t->depth < t->room ? t->depth : t->room;
    for (u32 n = 0; depth > 0 && n < 3; ++n) key = combine(key, t->stack[--depth].pc);
    return key;
}

frames here(u64 pc) {
    if (g.recording && in_system_module(pc)) return unwound_here(pc);
    const thread* t = self;
    frames f{};
    f.pc[f.count++] = pc;
    u32 depth = t->depth < t->room ? t->depth : t->room;
    while (depth > 0 && f.count < max_frames) f.pc[f.count++] = t->stack[--depth].pc;
    return f;
}

/// Asks the kernel, by a call that reads 8 bytes there and then fails for another reason.
bool readable(u64 address) {
    if (address < 4096) return false; // a null set means something else to that call
    constexpr long no_such_operation = -1;
    return kernel(
               SYS_rt_sigprocmask, no_such_operation, static_cast<long>(address & ~u64{7}), 0, 8) !=
           -EFAULT;
}

u64 value_at(u64 address, u32 size) {
    u64 value = 0;
    if (!readable(address)) return 0; // the program is about to crash, and we must not do so first
    if (size == 1) value = *reinterpret_cast<const volatile u8*>(address);
    else if (size <= 8) std::memcpy(&value, reinterpret_cast<const void*>(address), size);
    return value;
}

object object_at(u64 address) {
    object o{};
    if (describe_block(address, o)) return o;
    for (u32 i = 0; i < g.shared->modules; ++i) {
        const module_info& m = g.shared->module[i];
        if (address < m.begin || address >= m.end) continue;
        o.kind = object::module;
        o.base = m.base;
        return o;
    }
    for (u32 i = 0; i < g.count; ++i) {
        const thread* t = g.threads[i];
        if (address < t->stack_low || address >= t->stack_high) continue;
        o.kind = object::stack;
        o.thread = t->id;
        // Frames are known from the outermost in; the owner is the innermost one that lies above.
        const u32 depth = t->depth < t->room ? t->depth : t->room;
        for (u32 d = 0; d < depth && t->stack[d].cfa > address; ++d) {
            o.frame_cfa = t->stack[d].cfa;
            o.frame_pc = t->stack[d].inside;
        }
        return o;
    }
    return o;
}

event* record(op kind, u64 address, u64 pc, u64 aux) {
    if (!g.recording) return nullptr;
    event* e = &g.shared->events[g.shared->result.events++ % max_events];
    *e = {};
    e->step = g.step;
    e->thread = self->id;
    e->kind = kind;
    e->address = address;
    e->aux = aux;
    e->where = here(pc);
    if (address != 0) e->what = object_at(address);
    return e;
}

event* record_access(op kind, u64 address, u32 size, u64 pc) {
    event* e = record(kind, address, pc);
    e->size = static_cast<u8>(size <= 16 ? size : 0);
    if (size <= 8) e->before = e->after = value_at(address, size);
    if (kind == op::write) self->open_write = e;
    return e;
}

void flush_write(thread* t) {
    event* e = t->open_write;
    if (e == nullptr) return;
    t->open_write = nullptr;
    if (e->thread == t->id && e->size <= 8) e->after = value_at(e->address, e->size);
}

} // namespace heddle::check::rt
