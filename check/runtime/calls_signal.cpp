// Signals by which one thread wakes another: sigwait(), sigsuspend(), pause() and their like. The
// kernel keeps what is pending and for whom; ours is only the waiting, which would otherwise keep
// the turn. A handler that runs while its thread waits for its turn runs unseen.
#include "failure.hpp"
#include "real.hpp"
#include "record.hpp"
#include "sync.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdio>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

// As the kernel keeps a set of signals, and as the first word of glibc's sigset_t does, too.
constexpr long set_size = 8;

u64 bits(const sigset_t* set) {
    u64 word = 0;
    __builtin_memcpy(&word, set, sizeof word);
    return word;
}

u64 pending() {
    u64 set = 0;
    kernel(SYS_rt_sigpending, as_long(&set), set_size);
    return set;
}

char sent; // its address stands for all that was sent: who gets a signal knows what led to it

/// While one is sent. Whoever waits looks for itself whether the signal was for it.
struct sending {
    explicit sending(u64 pc) : told(has_turn()) {
        if (!told) return;
        point(op::signal_send, 0, pc, true);
        record(op::signal_send, 0, pc);
        release_into(sync_at(address_of(&sent)).clock, self);
    }
    ~sending() {
        if (told) wake_all(wait_for::signal, 0);
    }
    bool told;
};

int send_to(pthread_t to, int number, u64 pc) {
    static const auto real = real_function<int (*)(pthread_t, int)>("pthread_kill");
    const sending now(pc);
    return real(to, number);
}

void note_received() {
    acquire_from(sync_at(address_of(&sent)).clock, self);
}

/// Sleeps until a signal of the set is pending; false when the deadline came first.
bool await(u64 set, i64 deadline, u64 pc) {
    point(op::signal_wait, 0, pc, true);
    record(op::signal_wait, 0, pc);
    while ((pending() & set) == 0)
        if (!block(wait_for::signal, 0, deadline, pc)) return false;
    note_received();
    return true;
}

int take(const sigset_t* set, siginfo_t* into) {
    const timespec at_once{};
    return static_cast<int>(
        kernel(SYS_rt_sigtimedwait, as_long(set), as_long(into), as_long(&at_once), set_size));
}

int wait_for_signal(const sigset_t* set, siginfo_t* into, i64 deadline, u64 pc) {
    int number = -EAGAIN;
    while (number == -EAGAIN && await(bits(set), deadline, pc)) number = take(set, into);
    return number;
}

int with_errno(int number) {
    if (number >= 0) return number;
    errno = -number;
    return -1;
}

} // namespace

namespace heddle::check::rt {

void give_up_if_signals_come_from_outside() {
    if (g.shared->config.schedule > 1 || find_sync(address_of(&sent)) != nullptr) return;
    const thread* first = nullptr;
    for (u32 i = 0; i < g.count; ++i) {
        const thread* t = g.threads[i];
        if (t->state != thread::blocked || t->waiting == wait_for::join) continue;
        if (t->waiting != wait_for::signal) return;
        if (first == nullptr) first = t;
    }
    if (first == nullptr) return;
    char text[200];
    std::snprintf(text,
                  sizeof text,
                  "thread %u waits for a signal while nobody else can go on, and heddle does not "
                  "control what comes from outside of the program",
                  first->id);
    fail_text(failure::hung, text, 1, first->pending_pc);
}

} // namespace heddle::check::rt

HEDDLE_HOOK int pthread_kill(pthread_t to, int number) {
    return send_to(to, number, PC);
}
HEDDLE_HOOK int pthread_sigqueue(pthread_t to, int number, const sigval value) {
    using call = int (*)(pthread_t, int, const sigval);
    static const auto real = real_function<call>("pthread_sigqueue");
    const sending now(PC);
    return real(to, number, value);
}
HEDDLE_HOOK int kill(pid_t to, int number) {
    const sending now(PC);
    return with_errno(static_cast<int>(kernel(SYS_kill, to, number)));
}
HEDDLE_HOOK int raise(int number) {
    return send_to(pthread_self(), number, PC);
}
HEDDLE_HOOK int sigqueue(pid_t to, int number, const sigval value) {
    static const auto real = real_function<int (*)(pid_t, int, const sigval)>("sigqueue");
    const sending now(PC);
    return real(to, number, value);
}

HEDDLE_HOOK int sigwaitinfo(const sigset_t* set, siginfo_t* into) {
    if (has_turn()) return with_errno(wait_for_signal(set, into, never, PC));
    return with_errno(
        static_cast<int>(kernel(SYS_rt_sigtimedwait, as_long(set), as_long(into), 0, set_size)));
}
HEDDLE_HOOK int sigtimedwait(const sigset_t* set, siginfo_t* into, const timespec* time) {
    if (has_turn()) return with_errno(wait_for_signal(set, into, deadline_of(-1, time), PC));
    return with_errno(static_cast<int>(
        kernel(SYS_rt_sigtimedwait, as_long(set), as_long(into), as_long(time), set_size)));
}
HEDDLE_HOOK int sigwait(const sigset_t* set, int* number) {
    int got = 0;
    do
        got = has_turn()
                  ? wait_for_signal(set, nullptr, never, PC)
                  : static_cast<int>(kernel(SYS_rt_sigtimedwait, as_long(set), 0, 0, set_size));
    while (got == -EINTR);
    if (got < 0) return -got;
    *number = got;
    return 0;
}

HEDDLE_HOOK int sigsuspend(const sigset_t* mask) {
    if (has_turn()) await(~bits(mask), never, PC);
    return with_errno(static_cast<int>(kernel(SYS_rt_sigsuspend, as_long(mask), set_size)));
}
/// A signal that is not blocked was handled when it came: to be woken is all there is to see.
HEDDLE_HOOK int pause() {
    static const auto real = real_function<int (*)()>("pause");
    if (!has_turn()) return real();
    point(op::signal_wait, 0, PC, true);
    record(op::signal_wait, 0, PC);
    block(wait_for::signal, 0, never, PC);
    note_received();
    return with_errno(-EINTR);
}
