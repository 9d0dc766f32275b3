#include "endless_loop.hpp"

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

namespace heddle::check {

#if defined(__x86_64__)

namespace {

constexpr int longest_loop = 32; // instructions
constexpr u64 red_zone = 128;    // below the stack pointer, in use by the ABI's leave

/// Whether the instruction only jumps, does nothing, or compares registers: whatever its outcome
/// was, it will be the same the next time, as no register changes and no memory is read.
bool changes_nothing(const u8* code) {
    const auto at = [&](u32 i) { return code[i]; };
    u32 i = 0;
    if ((at(i) == 0x66 || at(i) == 0xf3) && (at(i + 1) == 0x90)) return true; // nop, pause
    if (at(i) == 0x66) ++i;                                                   // 16 bits
    if ((at(i) & 0xf0) == 0x40) ++i;                                          // REX
    const u8 code0 = at(i), next = at(i + 1);
    if (code0 == 0x90 || code0 == 0xeb || code0 == 0xe9 || (code0 & 0xf0) == 0x70) return true;
    if (code0 == 0x0f) return (next & 0xf0) == 0x80 || next == 0x1f; // far conditional jump, nop
    const bool of_registers = (next & 0xc0) == 0xc0;
    return of_registers && (code0 == 0x84 || code0 == 0x85 || (code0 >= 0x38 && code0 <= 0x3b));
}

/// Until the traced thread has stopped; false when it ended, or stopped for another reason.
bool stopped(pid_t thread, int& signal) {
    int status = 0;
    while (waitpid(thread, &status, __WALL) < 0)
        if (errno != EINTR) return false;
    if (!WIFSTOPPED(status)) return false;
    signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    return signal == 0;
}

bool read_code(pid_t thread, u64 address, u8 (&into)[16]) {
    for (u32 i = 0; i < 2; ++i) {
        errno = 0;
        const long word = ptrace(PTRACE_PEEKTEXT, thread, address + 8 * i, nullptr);
        if (errno != 0) return false;
        std::memcpy(into + 8 * i, &word, 8);
    }
    return true;
}

/// Follows the stopped thread for some instructions.
bool goes_round(pid_t thread, user_regs_struct& at, int& signal) {
    if (ptrace(PTRACE_GETREGS, thread, nullptr, &at) != 0) return false;
    // A system call that we interrupted begins anew, and comes back to where it was left.
    const bool in_call = static_cast<i64>(at.orig_rax) >= 0;
    if (in_call) return false;
    const u64 start = at.rip;
    for (int i = 0; i < longest_loop; ++i) {
        u8 code[16];
        if (!read_code(thread, at.rip, code) || !changes_nothing(code)) return false;
        if (ptrace(PTRACE_SINGLESTEP, thread, nullptr, nullptr) != 0) return false;
        if (!stopped(thread, signal)) return false;
        if (ptrace(PTRACE_GETREGS, thread, nullptr, &at) != 0) return false;
        if (at.rip == start) return true;
    }
    return false;
}

} // namespace

bool leave_endless_loop(pid_t thread, u64 refuge) {
    if (ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) return false;
    int signal = 0;
    bool left = false;
    user_regs_struct at{};
    if (ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) == 0 && stopped(thread, signal) &&
        goes_round(thread, at, signal)) {
        at.rdi = at.rip;
        at.rsp = ((at.rsp - red_zone) & ~u64{15}) - 8; // as after a call, which never returns
        at.rip = refuge;
        left = ptrace(PTRACE_SETREGS, thread, nullptr, &at) == 0;
    }
    ptrace(PTRACE_DETACH, thread, nullptr, signal); // fails where the thread has ended
    return left;
}

#else

bool leave_endless_loop(pid_t, u64) {
    return false;
}

#endif

} // namespace heddle::check
