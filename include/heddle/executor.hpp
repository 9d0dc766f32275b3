/// What every executor has in common: the concept, and the options its calls take.
#pragma once

#include <heddle/future.hpp>

#include <concepts>
#include <source_location>
#include <string>

namespace heddle {

/// Name, priority and place of a task.
///
/// Example:
///     pool.submit({.name = "resize", .priority = 5}, resize, image);
struct task_options {
    std::string name = {}; ///< shown in failures and cycles of waits
    int priority = 0;      ///< higher starts first
    std::source_location where = std::source_location::current(); ///< shown in failures
};

/// How an executor is shut down.
struct shutdown_options {
    bool wait = true;            ///< return only when everything has ended
    bool cancel_pending = false; ///< cancel what has not started, instead of running it
};

/// Something that runs callables and hands out futures: thread pools, process pools, clusters.
template <class E>
concept executor = requires(E& e, int (*f)(int)) {
    { e.submit(f, 1) } -> std::same_as<future<int>>;
    e.post(f, 1);
    e.shutdown(shutdown_options{});
    { e.worker_count() } -> std::convertible_to<int>;
};

} // namespace heddle
