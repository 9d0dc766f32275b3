/// Every error that Heddle throws, and `outcome<T>`, a value or an exception.
#pragma once

#include <heddle/outcome.hpp>

#include <stdexcept>
#include <string>

namespace heddle {

/// The base of every error that Heddle itself throws.
///
/// A task's own exceptions are never wrapped: what a task throws is what `future::result` throws.
/// Bad arguments are the exception to the tree: they throw `std::invalid_argument`, whose text
/// names the value and the allowed range.
///
/// Thread safety: as any exception object. Lifetime: owns its text.
class error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The task was cancelled before it started, so there is no result.
class cancelled_error : public error {
public:
    using error::error;
    cancelled_error() : error("the task was cancelled before it started") {}
};

/// A wait reached its time limit. What was waited for goes on; wait again to get it.
class timeout_error : public error {
public:
    using error::error;
    timeout_error() : error("the wait reached its time limit") {}
};

/// The object is not in a state that allows the call: an empty handle, a promise set twice.
class invalid_state_error : public error {
public:
    using error::error;
};

/// Work was submitted to an executor that has been shut down. The callable was not called.
class shutdown_error : public error {
public:
    using error::error;
    shutdown_error() : error("cannot submit: the executor has been shut down") {}
};

/// A pool was used in a forked child, where its worker threads do not exist.
class forked_error : public error {
public:
    using error::error;
};

/// A task waited, directly or through others, for itself. The text names the tasks of the cycle.
class would_deadlock_error : public error {
public:
    using error::error;
};

/// A bounded pool or queue had no room. What was to be put is still with the caller.
class queue_full_error : public error {
public:
    using error::error;
    queue_full_error() : error("the queue is full") {}
};

/// The queue was shut down: it takes nothing more, or has nothing more to give.
class queue_shut_down_error : public error {
public:
    using error::error;
    queue_shut_down_error() : error("the queue has been shut down") {}
};

/// The barrier was aborted, or a wait at it timed out; `barrier::reset` mends it.
class broken_barrier_error : public error {
public:
    using error::error;
    broken_barrier_error() : error("the barrier is broken") {}
};

/// The executor, or the promise, went away without giving a result.
class broken_executor_error : public error {
public:
    using error::error;
};

/// A thread pool cannot run tasks: its initializer threw. The text carries the cause.
class broken_thread_pool_error : public broken_executor_error {
public:
    using broken_executor_error::broken_executor_error;
};

/// A worker process died while it ran the task. The text names the task and the signal.
class broken_process_pool_error : public broken_executor_error {
public:
    using broken_executor_error::broken_executor_error;
};

/// An exception that crossed a process boundary and whose type is unknown on this side.
class remote_error : public error {
public:
    /// Keeps the demangled type and the text of the exception on the other side.
    remote_error(std::string type_name, const std::string& what)
        : error(what), type_name_(std::move(type_name)) {}

    /// Returns the demangled type of the original exception, for example `my::parse_error`.
    const std::string& type_name() const noexcept { return type_name_; }

private:
    std::string type_name_;
};

} // namespace heddle
