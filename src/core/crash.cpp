#include "crash.hpp"

#include "context.hpp"

#include <heddle/failure.hpp>

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string_view>

namespace heddle {

namespace detail {
namespace {

struct noted_signal {
    int number;
    std::string_view name;
    struct sigaction before; ///< written once, before the handler is there to read it
};
std::array<noted_signal, 5> noted{{{SIGSEGV, "SIGSEGV", {}},
                                   {SIGBUS, "SIGBUS", {}},
                                   {SIGILL, "SIGILL", {}},
                                   {SIGFPE, "SIGFPE", {}},
                                   {SIGABRT, "SIGABRT", {}}}};

/// Protocol: set once, before the threads that need a stack start; a hint for all others.
atomic<bool> noting{false};

/// A line of text, made without memory or locks of anybody's.
class line {
public:
    line& operator<<(std::string_view text) noexcept {
        for (const char c : text) {
            if (used_ < sizeof text_ - 1) text_[used_++] = c;
        }
        return *this;
    }
    line& number(std::uintptr_t value, unsigned base) noexcept {
        char digits[24];
        std::size_t at = sizeof digits;
        do {
            digits[--at] = "0123456789abcdef"[value % base];
        } while ((value /= base) != 0);
        return *this << std::string_view(digits + at, sizeof digits - at);
    }
    void print() noexcept {
        text_[used_++] = '\n';
        [[maybe_unused]] const auto written = write(STDERR_FILENO, text_, used_);
    }

private:
    char text_[1024];
    std::size_t used_ = 0;
};

/// "program+0x4242", for addr2line. (The loader's lock may be taken again by the thread that holds
/// it, and nothing is allocated.)
void add_code(line& to, const void* code) noexcept {
    Dl_info found{};
    link_map* map = nullptr;
    const auto address = reinterpret_cast<std::uintptr_t>(code);
    if (!dladdr1(code, &found, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP)) {
        (to << "0x").number(address, 16);
        return;
    }
    (to << found.dli_fname << "+0x").number(address - map->l_addr, 16);
}

void add_task(line& to) noexcept {
    const task* const hit = this_thread.current;
    if (!hit) {
        to << (this_thread.host ? "in a posted callable" : "outside of any task");
    } else if (const task_info* info = hit->info()) {
        to << "in ";
        if (info->name.empty()) to << "a task";
        else to << "the task \"" << info->name << "\"";
        to << " submitted at " << info->where.file_name() << ":";
        to.number(info->where.line(), 10);
    } else {
        to << "in a task";
        if (hit->address()) add_code(to << " submitted at ", hit->address());
    }
}

void note_crash(int number, siginfo_t* how, void*) {
    const int error = errno;
    line text;
    for (const noted_signal& each : noted) {
        if (each.number != number) continue;
        // First, so that a crash in here is not noted again, and ends the process.
        sigaction(number, &each.before, nullptr);
        text << "heddle: " << each.name << " ";
    }
    add_task(text);
    text.print();
    // A fault comes again when the instruction is tried again; what was sent is sent once more.
    if (how->si_code <= 0) raise(number);
    errno = error;
}

} // namespace

crash_stack::crash_stack() noexcept {
    // relaxed: see its protocol.
    if (!noting.load(std::memory_order_relaxed)) return;
    const long least = sysconf(_SC_SIGSTKSZ); // what the processor's registers need, and more
    const std::size_t size = least > 16384 ? static_cast<std::size_t>(least) : 16384;
    void* const memory =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    stack_t stack{};
    stack.ss_sp = memory;
    stack.ss_size = size;
    if (sigaltstack(&stack, nullptr) != 0) {
        munmap(memory, size);
        return;
    }
    memory_ = memory;
    size_ = size;
}

crash_stack::~crash_stack() {
    if (!memory_) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, nullptr);
    munmap(memory_, size_);
}

} // namespace detail

void note_crashes() {
    // A pointer that stays, so that no leak is seen: the stack is this thread's to the end.
    static const detail::crash_stack* const own = [] {
        detail::noting.store(true, std::memory_order_relaxed); // see its protocol
        const auto* const stack = new detail::crash_stack;
        struct sigaction action{};
        action.sa_sigaction = &detail::note_crash;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigfillset(&action.sa_mask);
        for (detail::noted_signal& each : detail::noted) {
            sigaction(each.number, nullptr, &each.before);
            sigaction(each.number, &action, nullptr); // cannot fail for these
        }
        return stack;
    }();
    (void)own;
}

} // namespace heddle
