/// Where failures go that nobody looked at. No failure of a task is ever silent.
#pragma once

#include <exception>
#include <functional>
#include <source_location>
#include <string>

namespace heddle {

/// What is known about a failure that nobody looked at.
///
/// Thread safety: a value. Lifetime: valid on its own; the handler may copy it.
struct failure_info {
    std::string task_name;         ///< `task_options::name`, or empty
    std::source_location where;    ///< where it was submitted with options; line 0 if without
    const void* address = nullptr; ///< code address of the call, if without options
    std::exception_ptr exception;  ///< what the task threw; never null
};

/// Called with each failure that nobody looked at, on the thread where the last chance to look
/// went away. What it throws is swallowed.
using failure_handler = std::function<void(const failure_info&)>;

/// Replaces the failure handler of the process and returns the old one.
///
/// An empty handler brings back the default: one line on stderr that names the task, the place
/// where it was submitted, and the exception. Does not block. Calls that already began may still
/// reach the old handler.
///
/// Cost: one lock. Thread safety: callable from any thread, not from inside a handler's copy.
///
/// Example:
///     auto old = heddle::set_failure_handler([](const heddle::failure_info& f) { log(f); });
failure_handler set_failure_handler(failure_handler handler);

/// From now on a crash says which task it hit.
///
/// SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT first write one line to stderr, such as
///     heddle: SIGSEGV in the task "resize" submitted at images.cpp:42
/// and then do what they did before: what another handler or a debugger would see is the same. A
/// task submitted without options is named by the place of its submit call, for `addr2line`.
///
/// Call it first in `main`: the threads that Heddle starts afterwards get a small stack of their
/// own for it, without which a stack overflow cannot be noted. Heddle never does this by itself,
/// since signals belong to the program. Does not block; calls after the first do nothing. Throws
/// std::bad_alloc, and can then be called again.
///
/// Cost: a dozen system calls, and four more and 16 KiB a thread. Thread safety: callable from any
/// thread.
///
/// Example:
///     int main() {
///         heddle::note_crashes();
///         heddle::thread_pool pool;
///     }
void note_crashes();

namespace detail {

/// Hands `failure` to the handler; swallows what that throws.
void report_failure(const failure_info& failure) noexcept;

/// "std::runtime_error: text" for what `failure` holds, or the type's name alone.
std::string describe(const std::exception_ptr& failure);

} // namespace detail
} // namespace heddle
