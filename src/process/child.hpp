/// Child processes: how they are started and how their end is seen. All that is particular to
/// Linux about processes is here.
#pragma once

#include <heddle/detail/shared_memory.hpp>
#include <heddle/time.hpp>

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

namespace heddle::detail {

/// The descriptors that a child finds open, beside 0 to 2.
enum : int { data_descriptor = 3, control_descriptor = 4, claims_descriptor = 5 };
inline constexpr char worker_argument[] = "--heddle-worker";

/// A process that this one has started, from the same program.
struct child {
    pid_t pid = -1;
    descriptor pidfd;   ///< readable when the process has ended
    descriptor data;    ///< frames, both ways
    descriptor control; ///< to the child: numbers of calls to stop. Its end ends the child
    descriptor errors;  ///< the child's stderr, if it was to be caught
    /// The `claims`. Shared with the threads that sleep on one of them.
    std::shared_ptr<const shared_memory> shared;
};

/// Notes how the program was started; called by mp::init.
void remember_program(char** argv);
/// Throws broken_process_pool_error unless mp::init was called.
void require_init();
/// Starts a child. @throws std::system_error  it could not be started; nothing is left behind.
child start_child(bool catch_errors);

/// How a child ended: as waitid tells, or nothing if somebody else took its status.
struct exit_status {
    bool known = false;
    bool by_signal = false;
    int code = 0; ///< the signal or the exit code
};
/// Collects a child that has ended; nothing if it is still alive.
std::optional<exit_status> reap(const descriptor& pidfd);
void send_signal(const descriptor& pidfd, int signal) noexcept;
/// Waits until a process has ended, or until the deadline.
bool await_end(const descriptor& pidfd, deadline limit) noexcept;
/// "was killed by SIGSEGV", "ended with exit code 3".
std::string describe(const exit_status& status);

/// Marks a descriptor so that reading and writing it never block.
void make_non_blocking(int fd);

} // namespace heddle::detail
