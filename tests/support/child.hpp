/// Runs part of a test in a forked child, for what ends or endangers a process.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace heddle::test {

/// Forks; the child returns `body()` as its exit status, without running exit handlers, unless it
/// is still at it after 60 seconds: then SIGALRM ends it; 99 if it throws. Returns the status for
/// `WIFEXITED`…
template <class F>
int in_child(F body) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(60); // a child that hangs must not outlive the test, also one of a worker
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        try {
            _exit(body());
        } catch (...) { // must not go on with the tests as if it were the parent
            _exit(99);
        }
    }
    EXPECT_GT(child, 0) << "fork failed";
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
}

/// True if the child ended by itself with `code`.
inline testing::AssertionResult exited_with(int status, int code) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == code) return testing::AssertionSuccess();
    auto failed = testing::AssertionFailure();
    if (WIFSIGNALED(status)) failed << "killed by signal " << WTERMSIG(status);
    else failed << "exit code " << WEXITSTATUS(status);
    return failed;
}

} // namespace heddle::test
