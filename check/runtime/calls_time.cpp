// Clocks, sleeps and everything else that would differ from run to run.
#include "real.hpp"
#include "record.hpp"
#include "sync.hpp"

#include <sched.h>
#include <sys/random.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

constexpr i64 second = 1'000'000'000;

timespec to_timespec(i64 ns) {
    return {ns / second, ns % second};
}

/// Reading a clock takes a little time, and more when it is all that the thread does.
i64 read_clock(bool wall) {
    thread* t = self;
    const u32 doublings = t->clock_reads < 200 ? 0 : (t->clock_reads - 200) / 8;
    g.jumped_ns += i64{100} << (doublings < 24 ? doublings : 24);
    ++t->clock_reads;
    note_limit(limit_clock);
    const run_config& c = g.shared->config;
    return (wall ? c.wall_base_ns : c.steady_base_ns) + clock_ns();
}

bool is_wall(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

void sleep_until(i64 deadline, u64 pc) {
    point(op::sleep, 0, pc, false);
    record(op::sleep, 0, pc);
    block(wait_for::sleep, 0, deadline, pc, true);
}

u64 random_state;

} // namespace

namespace heddle::check::rt {

void note_limit(limit what) {
    if (g.controlled && g.shared != nullptr) g.shared->limits |= what;
}

} // namespace heddle::check::rt

HEDDLE_HOOK int clock_gettime(clockid_t clock, timespec* into) {
    if (!has_turn()) return static_cast<int>(kernel(SYS_clock_gettime, clock, as_long(into)));
    if (clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID)
        *into = to_timespec(clock_ns());
    else *into = to_timespec(read_clock(is_wall(clock)));
    return 0;
}
HEDDLE_HOOK int gettimeofday(timeval* into, void*) {
    timespec t{};
    clock_gettime(CLOCK_REALTIME, &t);
    *into = {t.tv_sec, t.tv_nsec / 1000};
    return 0;
}
HEDDLE_HOOK time_t time(time_t* into) {
    timespec t{};
    clock_gettime(CLOCK_REALTIME, &t);
    if (into != nullptr) *into = t.tv_sec;
    return t.tv_sec;
}
HEDDLE_HOOK clock_t clock() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * CLOCKS_PER_SEC + t.tv_nsec / (second / CLOCKS_PER_SEC);
}

HEDDLE_HOOK int nanosleep(const timespec* time, timespec* left) {
    if (!has_turn()) return static_cast<int>(kernel(SYS_nanosleep, as_long(time), as_long(left)));
    sleep_until(deadline_of(-1, time), PC);
    return 0;
}
HEDDLE_HOOK int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
    if (!has_turn())
        return static_cast<int>(
            -kernel(SYS_clock_nanosleep, clock, flags, as_long(time), as_long(left)));
    const bool absolute = (flags & TIMER_ABSTIME) != 0;
    sleep_until(deadline_of(absolute ? static_cast<int>(clock) : -1, time), PC);
    return 0;
}
HEDDLE_HOOK int usleep(useconds_t us) {
    const timespec t = to_timespec(i64{us} * 1000);
    return nanosleep(&t, nullptr);
}
HEDDLE_HOOK unsigned sleep(unsigned seconds) {
    const timespec t = to_timespec(i64{seconds} * second);
    nanosleep(&t, nullptr);
    return 0;
}

HEDDLE_HOOK int sched_yield() {
    if (has_turn()) yield_turn(op::yield, PC);
    else kernel(SYS_sched_yield);
    return 0;
}

// Chance is the same in every run, or no run could be repeated.
HEDDLE_HOOK ssize_t getrandom(void* into, std::size_t size, unsigned flags) {
    if (!has_turn()) return kernel(SYS_getrandom, as_long(into), static_cast<long>(size), flags);
    note_limit(limit_random);
    auto* bytes = static_cast<u8*>(into);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<u8>(mix(random_state += 0x9e3779b97f4a7c15));
    return static_cast<ssize_t>(size);
}
HEDDLE_HOOK int getentropy(void* into, std::size_t size) {
    getrandom(into, size, 0);
    return 0;
}
HEDDLE_HOOK unsigned arc4random() {
    unsigned value = 0;
    getrandom(&value, sizeof value, 0);
    return value;
}

// std::random_device of libstdc++ would ask the processor.
HEDDLE_HOOK unsigned heddle_random_device(void*) asm("_ZNSt13random_device9_M_getvalEv");
HEDDLE_HOOK unsigned heddle_random_device(void*) {
    return arc4random();
}
