#include "descriptors.hpp"

#include "failure.hpp"
#include "record.hpp"
#include "sync.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <cstdio>

namespace heddle::check::rt {

namespace {

constexpr int max_tracked = 1024;
constexpr u64 max_outside = 256;
constexpr i64 patience_ns = 800'000'000; // the tool's own watchdog waits for a second
constexpr timespec at_once{0, 0};

struct timer {
    i64 due, interval; // due: never when it is not armed
};
struct descriptor {
    bool internal, is_timer;
    timer time;
};
descriptor* table;     // by number, made when there is one
u64 waiting;           // threads in wait_for_descriptors()
u32 timers;            // descriptors that are timers
constexpr u64 any = 1; // key of what goes through all descriptors; others have the highest bit
constexpr u64 key_bit = u64{1} << 63;

descriptor* known_at(int fd) {
    if (fd < 0 || fd >= max_tracked) return nullptr;
    if (table == nullptr) table = arena_array<descriptor>(max_tracked);
    return &table[fd];
}

/// The same for both ends of a pipe, and for all sockets: who is connected with whom is not known.
u64 key_of(int fd) {
    struct stat s{};
    if (kernel(SYS_fstat, fd, as_long(&s)) != 0) return key_bit;
    if (S_ISSOCK(s.st_mode)) return key_bit | 1;
    if (S_ISFIFO(s.st_mode) || S_ISREG(s.st_mode))
        return key_bit | combine(s.st_dev, s.st_ino) << 1;
    return key_bit | static_cast<u64>(fd) << 1;
}

bool ready(pollfd* all, u64 count) {
    return kernel(SYS_ppoll, as_long(all), static_cast<long>(count), as_long(&at_once), 0, 8) != 0;
}

/// Feeds the timers whose time has come; says when the next one's does.
i64 feed_timers() {
    i64 next = never;
    if (timers == 0) return next;
    const i64 now = clock_ns();
    for (int fd = 0; fd < max_tracked; ++fd) {
        descriptor& d = table[fd];
        if (!d.is_timer || d.time.due == never) continue;
        if (d.time.due <= now) {
            const i64 late = now - d.time.due, interval = d.time.interval;
            const u64 count = interval == 0 ? 1 : static_cast<u64>(late / interval) + 1;
            kernel(SYS_write, fd, as_long(&count), sizeof count);
            d.time.due = interval == 0 ? never : d.time.due + static_cast<i64>(count) * interval;
        }
        if (d.time.due != never && (next == never || d.time.due < next)) next = d.time.due;
    }
    return next;
}

/// Until when a call may wait, by an option of the socket.
i64 time_allowed(int fd, short events) {
    timeval limit{};
    unsigned size = sizeof limit;
    const long option = events == POLLIN ? SO_RCVTIMEO : SO_SNDTIMEO;
    const long asked =
        kernel(SYS_getsockopt, fd, SOL_SOCKET, option, as_long(&limit), as_long(&size));
    const timespec t{limit.tv_sec, limit.tv_usec * 1000};
    return asked != 0 || (t.tv_sec == 0 && t.tv_nsec == 0) ? never : deadline_of(-1, &t);
}

template <class Visit>
void each_waiter(Visit visit) {
    for (u32 i = 0; waiting > 0 && i < g.count; ++i) {
        thread* t = g.threads[i];
        if (t->state == thread::blocked && t->waiting == wait_for::input) visit(t);
    }
}

} // namespace

void descriptor_point(op kind, int fd, u64 pc) {
    feed_timers();
    if (in_system_module(pc)) return;
    learn_operation(pc);
    const u64 key = key_of(fd);
    point(kind, key, pc, true);
    record(kind, key, pc, static_cast<u64>(fd));
}

bool wait_for_descriptors(pollfd* all, u64 count, i64 deadline, u64 pc) {
    thread* t = self;
    for (;;) {
        const i64 next = feed_timers();
        if (count > 0 && ready(all, count)) return true;
        if (deadline != never && deadline <= clock_ns()) return false;
        t->wait_descriptors = all;
        t->wait_count = count;
        const bool timer_first = next != never && (deadline == never || next < deadline);
        ++waiting;
        block(wait_for::input,
              count == 0 ? 0 : static_cast<u64>(all[0].fd),
              timer_first ? next : deadline,
              pc);
        --waiting;
    }
}

bool wait_for_descriptor(int fd, short events, u64 pc) {
    pollfd one{fd, events, 0};
    if (ready(&one, 1)) return true;
    const long flags = kernel(SYS_fcntl, fd, F_GETFL);
    if (flags < 0 || (flags & O_NONBLOCK) != 0) return true;
    return wait_for_descriptors(&one, 1, time_allowed(fd, events), pc);
}

void release_through(int fd) {
    release_into(sync_at(key_of(fd)).clock, self);
    release_into(sync_at(any).clock, self);
}

void acquire_through(int fd) {
    acquire_from(sync_at(key_of(fd)).clock, self);
}

void acquire_through_any() {
    acquire_from(sync_at(any).clock, self);
}

bool wake_ready() {
    bool found = false;
    each_waiter([&](thread* t) {
        if (t->wait_count == 0 || !ready(t->wait_descriptors, t->wait_count)) return;
        wake(t);
        found = true;
    });
    return found;
}

bool wait_for_outside() {
    pollfd all[max_outside];
    u64 count = 0;
    const thread* first = nullptr;
    each_waiter([&](const thread* t) {
        for (u64 i = 0; i < t->wait_count && count < max_outside; ++i) {
            if (is_internal(t->wait_descriptors[i].fd)) continue;
            all[count++] = t->wait_descriptors[i];
            if (first == nullptr) first = t;
        }
    });
    if (first == nullptr) return false;
    const timespec patience{0, patience_ns};
    const long found =
        kernel(SYS_ppoll, as_long(all), static_cast<long>(count), as_long(&patience), 0, 8);
    if (found > 0 && wake_ready()) return true;
    char text[200];
    std::snprintf(
        text,
        sizeof text,
        "thread %u waited for descriptor %d while nobody else could go on, and heddle does "
        "not control what comes from outside of the program; let one of its threads be "
        "the other end",
        first->id,
        all[0].fd);
    fail_text(failure::hung, text, 1, first->pending_pc);
}

void note_internal(int fd, bool internal) {
    if (descriptor* d = known_at(fd)) {
        timers -= d->is_timer ? 1u : 0u;
        *d = {internal, false, {never, 0}};
    }
}

bool is_internal(int fd) {
    const bool forked = (g.shared->limits & limit_fork) != 0; // a child may have the other end
    return !forked && table != nullptr && fd >= 0 && fd < max_tracked && table[fd].internal;
}

void arm_timer(int fd, i64 due, i64 interval) {
    descriptor* d = known_at(fd);
    if (d == nullptr) return;
    timers += d->is_timer ? 0u : 1u;
    d->is_timer = true;
    d->time = {due, interval};
    u64 count = 0;
    pollfd one{fd, POLLIN, 0};
    if (ready(&one, 1)) kernel(SYS_read, fd, as_long(&count), sizeof count); // as the kernel does
    each_waiter([](thread* t) { wake(t); }); // to see when the next timer is due
}

void timer_of(int fd, i64& due, i64& interval) {
    const descriptor* d = known_at(fd);
    due = d == nullptr || !d->is_timer ? never : d->time.due;
    interval = d == nullptr ? 0 : d->time.interval;
}

} // namespace heddle::check::rt
