// Waiting for many file descriptors, and those that exist only to be waited for.
#include "access.hpp"
#include "descriptors.hpp"
#include "real.hpp"
#include "sync.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

constexpr i64 second = 1'000'000'000;
constexpr timespec at_once{0, 0};

int answer(long result) {
    if (result >= 0) return static_cast<int>(result);
    errno = static_cast<int>(-result);
    return -1;
}

i64 after_milliseconds(int timeout) {
    const timespec t{timeout / 1000, timeout % 1000 * 1'000'000L};
    return timeout < 0 ? never : deadline_of(-1, &t);
}

i64 after(const timespec* timeout) {
    return timeout == nullptr ? never : deadline_of(-1, timeout);
}

timespec to_timespec(i64 ns) {
    return {ns / second, ns % second};
}

/// A wait of the calling thread that found nothing changes nothing, and may be a spin loop's.
template <class Call>
int wait_and_look(pollfd* all, u64 count, i64 deadline, u64 pc, Call look) {
    const u64 quiet = quiet_steps();
    descriptor_point(op::poll, count > 0 ? all[0].fd : -1, pc);
    wait_for_descriptors(all, count, deadline, pc);
    const long found = look();
    if (found > 0) acquire_through_any();
    else still_quiet(quiet);
    return answer(found);
}

int kernel_poll(pollfd* all, nfds_t count, const timespec* timeout, const sigset_t* mask) {
    timespec t = timeout == nullptr ? timespec{} : *timeout; // the kernel changes it
    return answer(kernel(SYS_ppoll,
                         as_long(all),
                         static_cast<long>(count),
                         timeout == nullptr ? 0 : as_long(&t),
                         as_long(mask),
                         8));
}

int poll_outside(pollfd* all, nfds_t count, int timeout) {
    const timespec t{timeout / 1000, timeout % 1000 * 1'000'000L};
    return kernel_poll(all, count, timeout < 0 ? nullptr : &t, nullptr);
}

int poll_until(pollfd* all, nfds_t count, i64 deadline, u64 pc) {
    access_for(all, count * sizeof *all, true, pc);
    return wait_and_look(all, count, deadline, pc, [&] {
        return kernel(SYS_ppoll, as_long(all), static_cast<long>(count), as_long(&at_once), 0, 8);
    });
}

int epoll_until(int fd, epoll_event* into, int most, i64 deadline, u64 pc) {
    pollfd one{fd, POLLIN, 0};
    const int n = wait_and_look(&one, 1, deadline, pc, [&] {
        return kernel(SYS_epoll_pwait, fd, as_long(into), most, 0, 0, 8);
    });
    if (n > 0) access_for(into, static_cast<std::size_t>(n) * sizeof *into, true, pc);
    return n;
}

int select_until(int count, fd_set* in, fd_set* out, fd_set* other, i64 deadline, u64 pc) {
    pollfd all[FD_SETSIZE];
    u64 asked = 0;
    for (int fd = 0; fd < count && fd < FD_SETSIZE; ++fd) {
        const auto events = [&](const fd_set* set, int what) {
            return set != nullptr && FD_ISSET(fd, set) ? what : 0;
        };
        const int wanted = events(in, POLLIN) | events(out, POLLOUT) | events(other, POLLPRI);
        if (wanted != 0) all[asked++] = {fd, static_cast<short>(wanted), 0};
    }
    return wait_and_look(all, asked, deadline, pc, [&] {
        timespec none{0, 0};
        return kernel(
            SYS_pselect6, count, as_long(in), as_long(out), as_long(other), as_long(&none), 0);
    });
}

int internal(long fd) {
    if (fd >= 0 && has_turn()) note_internal(static_cast<int>(fd), true);
    return answer(fd);
}

int make_pair(long result, const int* pair) {
    if (result == 0) internal(pair[0]);
    if (result == 0) internal(pair[1]);
    return answer(result);
}

} // namespace

HEDDLE_HOOK int poll(pollfd* all, nfds_t count, int timeout) {
    return has_turn() ? poll_until(all, count, after_milliseconds(timeout), PC)
                      : poll_outside(all, count, timeout);
}
HEDDLE_HOOK int __poll_chk(pollfd* all, nfds_t count, int timeout, std::size_t) {
    return has_turn() ? poll_until(all, count, after_milliseconds(timeout), PC)
                      : poll_outside(all, count, timeout);
}
HEDDLE_HOOK int ppoll(pollfd* all, nfds_t count, const timespec* timeout, const sigset_t* mask) {
    return has_turn() ? poll_until(all, count, after(timeout), PC)
                      : kernel_poll(all, count, timeout, mask);
}
HEDDLE_HOOK int
__ppoll_chk(pollfd* all, nfds_t count, const timespec* timeout, const sigset_t* mask, std::size_t) {
    return has_turn() ? poll_until(all, count, after(timeout), PC)
                      : kernel_poll(all, count, timeout, mask);
}
HEDDLE_HOOK int pselect(int count,
                        fd_set* in,
                        fd_set* out,
                        fd_set* other,
                        const timespec* timeout,
                        const sigset_t* mask) {
    if (has_turn()) return select_until(count, in, out, other, after(timeout), PC);
    timespec t = timeout == nullptr ? timespec{} : *timeout; // the kernel changes it
    const struct {
        const sigset_t* set;
        std::size_t size;
    } masked{mask, 8};
    return answer(kernel(SYS_pselect6,
                         count,
                         as_long(in),
                         as_long(out),
                         as_long(other),
                         timeout == nullptr ? 0 : as_long(&t),
                         as_long(&masked)));
}
HEDDLE_HOOK int select(int count, fd_set* in, fd_set* out, fd_set* other, timeval* timeout) {
    timespec t{};
    if (timeout != nullptr) t = {timeout->tv_sec, timeout->tv_usec * 1000};
    const timespec* given = timeout == nullptr ? nullptr : &t;
    if (has_turn()) return select_until(count, in, out, other, after(given), PC);
    return answer(
        kernel(SYS_pselect6, count, as_long(in), as_long(out), as_long(other), as_long(given), 0));
}

HEDDLE_HOOK int epoll_wait(int fd, epoll_event* into, int most, int timeout) {
    if (has_turn()) return epoll_until(fd, into, most, after_milliseconds(timeout), PC);
    return answer(kernel(SYS_epoll_pwait, fd, as_long(into), most, timeout, 0, 8));
}
HEDDLE_HOOK int
epoll_pwait(int fd, epoll_event* into, int most, int timeout, const sigset_t* mask) {
    if (has_turn()) return epoll_until(fd, into, most, after_milliseconds(timeout), PC);
    return answer(kernel(SYS_epoll_pwait, fd, as_long(into), most, timeout, as_long(mask), 8));
}
HEDDLE_HOOK int epoll_ctl(int fd, int what, int about, epoll_event* event) {
    const auto call = [&] { return kernel(SYS_epoll_ctl, fd, what, about, as_long(event)); };
    if (!has_turn()) return answer(call());
    descriptor_point(op::output, fd, PC);
    if (event != nullptr) access_for(event, sizeof *event, false, PC);
    release_through(fd);
    const long result = call();
    if (what == EPOLL_CTL_ADD && !is_internal(about)) note_internal(fd, false);
    wake_ready();
    return answer(result);
}
HEDDLE_HOOK int epoll_create(int) {
    return internal(kernel(SYS_epoll_create1, 0));
}
HEDDLE_HOOK int epoll_create1(int flags) {
    return internal(kernel(SYS_epoll_create1, flags));
}

HEDDLE_HOOK int pipe2(int* pair, int flags) {
    return make_pair(kernel(SYS_pipe2, as_long(pair), flags), pair);
}
HEDDLE_HOOK int pipe(int* pair) {
    return pipe2(pair, 0);
}
HEDDLE_HOOK int socketpair(int domain, int type, int protocol, int* pair) {
    return make_pair(kernel(SYS_socketpair, domain, type, protocol, as_long(pair)), pair);
}

HEDDLE_HOOK int eventfd(unsigned value, int flags) {
    return internal(kernel(SYS_eventfd2, value, flags));
}

// Timers run on the virtual clock: the kernel has an event counter in their place.
HEDDLE_HOOK int timerfd_create(clockid_t clock, int flags) {
    if (!has_turn()) return answer(kernel(SYS_timerfd_create, clock, flags));
    return internal(kernel(SYS_eventfd2, 0, flags)); // its flags are the same
}
HEDDLE_HOOK int timerfd_gettime(int fd, itimerspec* into) {
    if (!has_turn()) return answer(kernel(SYS_timerfd_gettime, fd, as_long(into)));
    i64 due = never, interval = 0;
    timer_of(fd, due, interval);
    const i64 left = due - clock_ns();
    *into = {to_timespec(interval), to_timespec(due == never ? 0 : left < 1 ? 1 : left)};
    return 0;
}
HEDDLE_HOOK int timerfd_settime(int fd, int flags, const itimerspec* time, itimerspec* before) {
    if (!has_turn())
        return answer(kernel(SYS_timerfd_settime, fd, flags, as_long(time), as_long(before)));
    descriptor_point(op::output, fd, PC);
    if (before != nullptr) timerfd_gettime(fd, before);
    const timespec& value = time->it_value;
    const bool absolute = (flags & TFD_TIMER_ABSTIME) != 0;
    const i64 due = deadline_of(absolute ? CLOCK_MONOTONIC : -1, &value);
    const bool armed = value.tv_sec != 0 || value.tv_nsec != 0;
    release_through(fd);
    arm_timer(
        fd, armed ? due : never, time->it_interval.tv_sec * second + time->it_interval.tv_nsec);
    return 0;
}
