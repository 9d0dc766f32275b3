#include "second_look.hpp"

#include "record.hpp"

namespace heddle::check::rt {

namespace {

/// Steps after which whoever still runs is thought to go on.
constexpr u64 long_look = 5000;

struct sleeper {
    thread* who;
    wait_for what;
    u64 address, value, key;
};
sleeper woken[max_blocked];
u32 woken_count;
u64 begun_at;

bool is_told_to_wake(const thread* t) {
    return t->state == thread::blocked && t->deadline == never &&
           (t->waiting == wait_for::condition || t->waiting == wait_for::futex);
}

/// The mutex inside a std::condition_variable_any, by how libstdc++ makes it, std::make_shared: who
/// waits there gives it up before looking.
bool is_internal(u64 mutex) {
    constexpr u64 counts = 16;
    const object o = object_at(mutex);
    return o.kind == object::heap && mutex == o.base + counts &&
           o.size == counts + sizeof(pthread_mutex_t);
}

void mark(const thread* t) {
    run_result& r = g.shared->result;
    for (u32 i = 0; i < r.blocked; ++i)
        if (r.block[i].thread == t->id) r.block[i].goes_on = 1;
}

} // namespace

bool begin_second_look() {
    if (g.looking_again) return false;
    for (u32 i = 0; i < g.count; ++i) {
        thread* t = g.threads[i];
        if (!is_told_to_wake(t) || woken_count == max_blocked) continue;
        const bool futex = t->waiting == wait_for::futex;
        woken[woken_count++] = {t,
                                t->waiting,
                                t->wait_address,
                                futex ? value_at(t->wait_address, 4) : t->wait_value,
                                t->wait_key};
    }
    if (woken_count == 0) return false;
    for (u32 i = 0; i < woken_count; ++i) wake(woken[i].who);
    begun_at = g.step;
    g.looking_again = true;
    g.recording = false; // the story ends before
    return true;
}

bool goes_on_after_look(bool ends) {
    const thread* t = self;
    bool does = ends || g.step > begun_at + long_look;
    if (t->state == thread::ready) switch (t->pending) {
        case op::exit:
        case op::main_end:
        case op::create:
        case op::notify_one:
        case op::notify_all:
        case op::futex_wake:
        case op::signal_send:
        case op::sem_post:
        case op::output: does = true; break;
        default: break;
        }
    for (u32 i = 0; i < woken_count && !does; ++i) {
        const sleeper& s = woken[i];
        // A condition's value is its mutex, which a thread that waits again does not unlock itself.
        if (s.what == wait_for::futex) does = value_at(s.address, 4) != s.value;
        else if (s.who == t && t->pending == op::unlock && t->pending_address == s.value)
            does = !is_internal(s.value);
    }
    if (does) mark(t);
    return does;
}

bool waits_elsewhere() {
    bool any = false;
    for (u32 i = 0; i < woken_count; ++i) {
        const sleeper& s = woken[i];
        const thread* t = s.who;
        if (t->waiting == s.what && t->wait_address == s.address && t->wait_key == s.key) continue;
        if (t->waiting == wait_for::mutex && s.what == wait_for::condition) continue; // still looks
        mark(t);
        any = true;
    }
    return any;
}

} // namespace heddle::check::rt
