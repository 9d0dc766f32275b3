// The fork server: the program is started once, stopped before its first line, and copied for every
// schedule. A copy costs far less than a start, and is just as fresh.
#include "failure.hpp"
#include "real.hpp"
#include "record.hpp"
#include "shadow.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace heddle::check;
using namespace heddle::check::rt;

namespace {

cpu_set_t own_cpus; // of the program, before we bound it to one
bool bound;

void allow_cpus(const cpu_set_t& set) {
    kernel(SYS_sched_setaffinity, 0, sizeof set, as_long(&set));
}

/// One CPU: a change of turn then needs no other one to wake up. Which one is looked for anew with
/// every command: the kernel has just put us on one that is idle, if there is any.
void bind_to_one_cpu() {
    unsigned cpu = 0;
    kernel(SYS_getcpu, as_long(&cpu), 0, 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    allow_cpus(one);
}

// With a word before it, by which the command tests find it, to make another release of a copy.
constexpr char release[] = "release " HEDDLE_CHECK_VERSION;
const char* const own_release = release + sizeof "release";

channel* open_channel(int memory) {
    const long p =
        kernel(SYS_mmap, 0, sizeof(channel), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (p < 0 && p > -4096) panic("cannot map the channel to the tool");
    auto* c = reinterpret_cast<channel*>(p);
    // The program's output goes nowhere: the tool tells of it, see session::server_gone().
    std::strncpy(c->runtime, own_release, sizeof c->runtime - 1);
    if (c->magic != channel_magic || c->version != protocol_version ||
        c->size_check != sizeof(channel) % 0xffffffff || std::strcmp(c->tool, own_release) != 0)
        panic("the tool `heddle` and its runtime library are of different versions");
    return c;
}

/// Without the tool: the program runs once, under the default schedule, and nobody is told.
channel* private_channel() {
    auto* c = static_cast<channel*>(map_pages(sizeof(channel)));
    c->config.step_limit = ~u64{0};
    c->config.expected_exit = -1;
    return c;
}

/// What every run accesses: the shadow's table for it is then made once and not in every run.
void expect_usual_memory() {
    constexpr u64 megabyte = u64{1} << 20;
    u64 lowest = ~u64{0};
    for (u32 i = 0; i < g.shared->modules; ++i) {
        const module_info& m = g.shared->module[i];
        shadow_expect(m.begin, m.end);
        if (m.instrumented == 2 && m.begin < lowest) lowest = m.begin;
    }
    shadow_expect(self->stack_high - megabyte, self->stack_high);
    if (lowest != ~u64{0}) shadow_expect(lowest - 64 * megabyte, lowest); // stacks of threads
    if (g.heap_size != 0) shadow_expect(g.heap_begin, g.heap_begin + megabyte);
}

/// The tool sends the running thread here out of a loop that nothing ends (cli/endless_loop.hpp).
/// It waits for ever, as it would in the loop, but the others go on.
[[noreturn]] void refuge(u64 pc) {
    for (;;) block(wait_for::nothing_ends, 0, never, pc + 1);
}

[[noreturn]] void exit_server(int status) {
    kernel(SYS_exit_group, status);
    __builtin_unreachable();
}

/// Judges how the child ended; true when the tool should hear of it.
bool has_news(int status) {
    channel& c = *g.shared;
    run_result& r = c.result;
    if (r.kind == failure::none && WIFSIGNALED(status)) {
        r.kind = failure::crash;
        r.signal = static_cast<u32>(WTERMSIG(status));
        r.signature = combine(static_cast<u64>(failure::crash), r.signal);
    }
    if (r.kind == failure::none && WIFEXITED(status)) {
        r.exited = 1;
        r.exit_status = WEXITSTATUS(status);
        if (c.config.expected_exit >= 0 && r.exit_status != c.config.expected_exit) {
            r.kind = failure::exit_code;
            r.signature =
                combine(static_cast<u64>(failure::exit_code), static_cast<u64>(r.exit_status));
        }
    }
    if (c.config.replay != replaying::nothing) return true;
    return r.races > 0 || (r.kind != failure::none && !known(r.signature));
}

/// Runs one schedule; true in the server, false in the child that is to run it.
bool run_one(bool& news) {
    channel& c = *g.shared;
    c.result = {};
    c.heartbeat = 0;
    const int pid = real().fork();
    if (pid < 0) panic("fork failed");
    if (pid == 0) {
        kernel(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
        kernel(SYS_lseek, 0, 0, SEEK_SET); // the last run may have read its standard input
        if (c.config.debug_step != 0) kernel(SYS_prctl, PR_SET_PTRACER, -1);
        c.child = static_cast<u32>(kernel(SYS_getpid));
        return false;
    }
    c.child = static_cast<u32>(pid);
    int status = 0;
    while (kernel(SYS_wait4, pid, as_long(&status), 0, 0) == -EINTR) {
    }
    c.child = 0;
    news = has_news(status);
    c.result.news = news;
    return true;
}

void serve_commands(int commands, int replies) {
    kernel(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    const char ready = 'r';
    kernel(SYS_write, replies, as_long(&ready), 1);
    for (;;) {
        command order{};
        const long n = kernel(SYS_read, commands, as_long(&order), sizeof order);
        if (n == -EINTR) continue;
        if (n != sizeof order) exit_server(0); // the tool is gone
        bind_to_one_cpu();
        for (u64 i = 0; i < order.count; ++i) {
            g.shared->config.schedule = order.first + i;
            bool news = false;
            if (!run_one(news)) {
                kernel(SYS_close, commands);
                kernel(SYS_close, replies);
                return;
            }
            if (news) break;
        }
        allow_cpus(own_cpus);
        const char done = 'd';
        kernel(SYS_write, replies, as_long(&done), 1);
    }
}

} // namespace

namespace heddle::check::rt {

void serve() {
    shadow_begin();
    install_crash_handlers();
    const char* variable = getenv(channel_variable);
    if (variable == nullptr) {
        g.shared = private_channel();
        g.places = g.shared->locations;
        list_modules();
    } else {
        int memory = -1, commands = -1, replies = -1;
        if (std::sscanf(variable, "%d,%d,%d", &memory, &commands, &replies) != 3)
            panic("HEDDLE_CHECK_CHANNEL is not ours");
        g.shared = open_channel(memory);
        g.places = g.shared->locations;
        kernel(SYS_close, memory);
        unsetenv(channel_variable);
        unsetenv("LD_BIND_NOW");
        list_modules();
        expect_usual_memory();
        unwound_here(0); // its first call initialises: not in the middle of a run
        kernel(SYS_sched_getaffinity, 0, sizeof own_cpus, as_long(&own_cpus));
        bound = true;
        g.shared->refuge = reinterpret_cast<u64>(&refuge);
        g.shared->server_ready = 1;
        serve_commands(commands, replies);
    }
    begin_run();
}

} // namespace heddle::check::rt

// Programs size their thread pools by these: they see the machine and not our one CPU.

HEDDLE_HOOK int get_nprocs() {
    if (!bound) return 1;
    return CPU_COUNT(&own_cpus);
}
HEDDLE_HOOK int get_nprocs_conf() {
    return get_nprocs();
}
HEDDLE_HOOK int sched_getaffinity(pid_t pid, std::size_t size, cpu_set_t* set) {
    if (!bound) return real().affinity(pid, size, set);
    std::memset(set, 0, size);
    std::memcpy(set, &own_cpus, size < sizeof own_cpus ? size : sizeof own_cpus);
    return 0;
}
HEDDLE_HOOK int pthread_getaffinity_np(pthread_t, std::size_t size, cpu_set_t* set) {
    return sched_getaffinity(0, size, set);
}
