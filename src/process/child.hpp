/// Child processes: how they are started and how their end is seen. All that is particular to
/// Linux about processes is here.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/detail/shared_memory.hpp>
#include <heddle/time.hpp>

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>

namespace heddle::detail {

/// Who has each call that a worker was sent, and what small ones gave: memory that pool and worker
/// share.
struct claims {
    static constexpr std::uint32_t offered = 0, taken = 1, withdrawn = 2, answered = 3;
    static constexpr std::uint32_t count = 256, small = 48;
    struct slot {
        /// Protocol: the pool sets `offered` before it sends the call; then the worker makes it
        /// `taken`, to run it, or the pool `withdrawn`, to have it run elsewhere, both by
        /// compare-exchange. So exactly one of them has the call, also when the worker dies.
        /// Whoever sees `answered` sees the rest of the slot.
        atomic<std::uint32_t> state;
        std::uint32_t size, microseconds;
        std::array<std::byte, small> answer;
    };

    /// When the pool wants to be told, by a frame, that a call was answered here.
    enum class attention : std::uint32_t { none, low, any };
    /// Protocol: the pool sets it and then looks at the slots; the worker answers in a slot and
    /// then looks at it (all seq_cst). So one of them sees what the other did.
    atomic<attention> wanted;
    /// Calls use the slots in turn; one is used again when the call before has left it for good.
    std::array<slot, count> slots;

    slot& of(std::uint64_t ticket) noexcept { return slots[ticket % count]; }
};

/// The descriptors that a child finds open, beside 0 to 2.
enum : int { data_descriptor = 3, control_descriptor = 4, claims_descriptor = 5 };
/// With so few calls left a worker tells of what it has answered, whoever `wanted` it how.
inline constexpr std::size_t calls_low = 8;
inline constexpr char worker_argument[] = "--heddle-worker";

/// A process that this one has started, from the same program.
struct child {
    pid_t pid = -1;
    descriptor pidfd;   ///< readable when the process has ended
    descriptor data;    ///< frames, both ways
    descriptor control; ///< to the child: numbers of calls to stop. Its end ends the child
    descriptor errors;  ///< the child's stderr, if it was to be caught
    shared_memory shared;
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
