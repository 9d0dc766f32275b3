#include "child.hpp"

#include "claims.hpp"

#include <heddle/error.hpp>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <system_error>

extern "C" char** environ; // NOLINT: the system declares it only on request

namespace heddle::detail {

namespace {

// Protocol: set once by mp::init, before there are threads.
const char* program_name = nullptr;

[[noreturn]] void fail(const char* what, int code = errno) {
    throw std::system_error(code, std::generic_category(), what);
}

/// Moves a descriptor out of the way of those that the child gets at fixed places.
descriptor above_fixed(int fd) {
    descriptor low(fd);
    constexpr int first_free = claims_descriptor + 1;
    if (fd < 0) fail("heddle: cannot open a descriptor for a worker");
    if (fd >= first_free) return low;
    const int high = fcntl(fd, F_DUPFD_CLOEXEC, first_free);
    if (high < 0) fail("heddle: cannot open a descriptor for a worker");
    return descriptor(high);
}

struct descriptor_pair {
    descriptor ours, theirs;
};
descriptor_pair open_socket_pair() {
    int ends[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        fail("heddle: cannot open a socket for a worker");
    }
    descriptor first(ends[0]);
    return {std::move(first), above_fixed(ends[1])};
}
descriptor_pair open_pipe() {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) fail("heddle: cannot open a pipe for a worker's stderr");
    descriptor first(ends[0]);
    return {std::move(first), above_fixed(ends[1])};
}

/// What posix_spawn is to do in the child; freed with this object.
class spawn_plan {
public:
    spawn_plan() {
        posix_spawn_file_actions_init(&actions_);
        posix_spawnattr_init(&attributes_);
        sigset_t none, all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setsigdefault(&attributes_, &all);
        // A group of its own: Ctrl-C is for this process, which decides what becomes of workers.
        posix_spawnattr_setpgroup(&attributes_, 0);
        posix_spawnattr_setflags(
            &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    }
    ~spawn_plan() {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    spawn_plan(const spawn_plan&) = delete;
    spawn_plan& operator=(const spawn_plan&) = delete;

    void open(int fd, const char* path) {
        check(posix_spawn_file_actions_addopen(&actions_, fd, path, O_RDONLY, 0));
    }
    void place(const descriptor& from, int to) {
        check(posix_spawn_file_actions_adddup2(&actions_, from.get(), to));
    }
    void close_from(int first) {
        check(posix_spawn_file_actions_addclosefrom_np(&actions_, first));
    }
    pid_t start(const char* path, char* const argv[]) {
        pid_t pid = -1;
        const int code = posix_spawn(&pid, path, &actions_, &attributes_, argv, environ);
        if (code != 0) fail("heddle: cannot start a worker process", code);
        return pid;
    }

private:
    static void check(int code) {
        if (code != 0) fail("heddle: cannot prepare a worker process", code);
    }
    posix_spawn_file_actions_t actions_;
    posix_spawnattr_t attributes_;
};

} // namespace

void remember_program(char** argv) {
    program_name = argv && argv[0] ? argv[0] : "heddle-worker";
}

void require_init() {
    if (program_name) return;
    throw broken_process_pool_error("processes need heddle::mp::init(argc, argv) as the first line "
                                    "of main: workers are started by executing this program again");
}

child start_child(bool catch_errors) {
    child made;
    descriptor_pair data = open_socket_pair(), control = open_socket_pair(), errors;
    made.shared = std::make_shared<const shared_memory>(sizeof(claims));
    const descriptor page = above_fixed(fcntl(made.shared->file()->get(), F_DUPFD_CLOEXEC, 6));
    spawn_plan plan;
    plan.open(0, "/dev/null");
    if (catch_errors) {
        errors = open_pipe();
        make_non_blocking(errors.ours.get());
        plan.place(errors.theirs, 2);
    }
    plan.place(data.theirs, data_descriptor);
    plan.place(control.theirs, control_descriptor);
    plan.place(page, claims_descriptor);
    plan.close_from(claims_descriptor + 1);

    std::string name = program_name, flag = worker_argument, parent = std::to_string(getpid());
    char* const argv[] = {name.data(), flag.data(), parent.data(), nullptr};
    made.pid = plan.start("/proc/self/exe", argv); // the same image, even if the file was replaced
    const auto pidfd = static_cast<int>(syscall(SYS_pidfd_open, made.pid, 0));
    if (pidfd < 0) {
        const int code = errno;
        kill(made.pid, SIGKILL);
        waitpid(made.pid, nullptr, 0);
        fail("heddle: cannot watch a worker process", code);
    }
    made.pidfd = descriptor(pidfd);
    fcntl(pidfd, F_SETFD, FD_CLOEXEC);
    made.data = std::move(data.ours);
    made.control = std::move(control.ours);
    made.errors = std::move(errors.ours);
    return made;
}

std::optional<exit_status> reap(const descriptor& pidfd) {
    siginfo_t info{};
    int result = 0;
    do {
        result = waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        // Somebody else waits for all children, or SIGCHLD is ignored: the end is seen, its
        // status is not.
        pollfd ended{pidfd.get(), POLLIN, 0};
        if (poll(&ended, 1, 0) == 1) return exit_status{};
        return std::nullopt;
    }
    if (info.si_pid == 0) return std::nullopt;
    return exit_status{true, info.si_code != CLD_EXITED, info.si_status};
}

void send_signal(const descriptor& pidfd, int signal) noexcept {
    syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
}

bool await_end(const descriptor& pidfd, deadline limit) noexcept {
    pollfd ended{pidfd.get(), POLLIN, 0};
    for (;;) {
        const std::int64_t left = limit.passed() ? 0 : limit.ns - now_ns();
        const timespec wait{left / 1'000'000'000, left % 1'000'000'000};
        const int ready = ppoll(&ended, 1, limit.is_never() ? nullptr : &wait, nullptr);
        if (ready == 1) return true;
        if (limit.passed()) return false;
    }
}

std::string describe(const exit_status& status) {
    if (!status.known) {
        return "ended, and other code of this program took its exit status (waitpid(-1), or "
               "SIGCHLD ignored)";
    }
    if (!status.by_signal) return "ended with exit code " + std::to_string(status.code);
    const char* const name = sigabbrev_np(status.code);
    return name ? std::string("was killed by SIG") + name
                : "was killed by signal " + std::to_string(status.code);
}

void make_non_blocking(int fd) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

} // namespace heddle::detail
