/// Which threads the race finder takes for being in a loop that nothing ends.
#include "../../check/cli/endless_loop.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#if defined(__x86_64__)

namespace {

[[noreturn]] void refuge() {
    _exit(7);
}

/// A process that does `what()` until it is ended.
class doing {
public:
    explicit doing(void (*what)()) : child_(fork()) {
        if (child_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            what();
            _exit(0);
        }
        if (child_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    }
    ~doing() {
        kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
    }
    doing(const doing&) = delete;
    doing& operator=(const doing&) = delete;

    bool leaves() const {
        return heddle::check::leave_endless_loop(child_,
                                                 reinterpret_cast<heddle::check::u64>(&refuge));
    }
    /// With what it ended, once it has.
    int status() const {
        siginfo_t how{};
        EXPECT_EQ(waitid(P_PID, static_cast<id_t>(child_), &how, WEXITED | WNOWAIT), 0);
        return how.si_status;
    }

private:
    const pid_t child_;
};

TEST(EndlessLoop, ThatLooksAtNothingIsLeft) {
    const doing it([] { asm volatile("1: jmp 1b"); });
    // A child that has not come to its loop yet is not in one.
    int looks = 0;
    while (!it.leaves()) ASSERT_LT(++looks, 100'000);
    EXPECT_EQ(it.status(), 7);
}

TEST(EndlessLoop, IsNotAPollThatBeginsAnewAfterItWasInterrupted) {
    // The look interrupts the call, which then comes back to the same instruction: a test of a
    // register, which by itself could be part of a loop.
    const doing it([] {
        for (;;) {
            timespec at_most{0, 3'000'000};
            asm volatile(
                "xor %%edi, %%edi\n xor %%esi, %%esi\n xor %%r10d, %%r10d\n mov $8, %%r8d\n"
                "mov $271, %%eax\n syscall\n test %%eax, %%eax\n" // ppoll
                :
                : "d"(&at_most)
                : "rax", "rcx", "rdi", "rsi", "r8", "r10", "r11", "memory", "cc");
        }
    });
    for (int looks = 0; looks < 400; ++looks) ASSERT_FALSE(it.leaves()) << looks;
}

} // namespace

#endif
