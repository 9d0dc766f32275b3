/// `aio::run`: from ordinary code into coroutines.
#pragma once

#include <heddle/aio/task.hpp>
#include <heddle/detail/nursery.hpp>

#include <iosfwd>
#include <utility>

namespace heddle::detail {

/// The first job of a loop.
class root_job : public job {
public:
    using job::job;
    /// Runs a loop in this thread until the task has ended, then cancels and awaits all others.
    void run();

private:
    void done() noexcept override { ended_ = true; }
    bool ended_ = false;
};

} // namespace heddle::detail

namespace heddle::aio {

/// Runs an event loop in this thread until `main` has ended; returns its value, or throws what it
/// throws. What Python's `asyncio.run` is.
///
/// Blocks. Tasks that are left when `main` ends are cancelled and awaited before it returns. The
/// first Ctrl-C (SIGINT) cancels `main`, which then, unless it has its own mind, ends in
/// `cancelled_error`; the next one ends the process as usual. A program that has its own handler
/// for SIGINT keeps it; of several loops, in several threads, the first that started is cancelled.
///
/// Throws `invalid_state_error` inside a running loop, or if `main` was moved from; nothing was
/// run then. Cost: about 1 µs. Thread safety: callable from any thread, one loop in each.
///
/// Example:
///     int main() { return heddle::aio::run(serve()); }
template <class T>
T run(task<T> main) {
    detail::owning<detail::root_job, T> root(std::move(main));
    root.run();
    return root.take();
}

/// Writes one line for each task of the running loop: its coroutine, and what it awaits; tasks
/// that another one waits for stand indented below that one.
///
/// For people: names come from the debug information. Does not suspend. Throws
/// `invalid_state_error` outside a loop, and what writing to `out` throws.
///
/// Example:
///     std::ostringstream all;
///     heddle::aio::dump_tasks(all);
void dump_tasks(std::ostream& out);

} // namespace heddle::aio
