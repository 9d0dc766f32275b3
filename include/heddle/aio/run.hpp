/// `aio::run`: from ordinary code into coroutines.
#pragma once

#include <heddle/aio/awaitable.hpp>
#include <heddle/detail/nursery.hpp>
#include <heddle/time.hpp>

#include <iosfwd>
#include <optional>
#include <utility>

namespace heddle::aio {

/// How `run` runs.
struct run_options {
    /// How long a task may keep the loop between two awaits; one that keeps it for longer is named
    /// to the failure handler when it lets go. Zero: nobody looks. Without a value: 100 ms in a
    /// debug build of Heddle, zero in a release. Costs two looks at the clock each time that a task
    /// goes on, about 50 ns.
    std::optional<duration> watchdog;
};

} // namespace heddle::aio

namespace heddle::detail {

/// The first job of a loop.
class root_job : public job {
public:
    using job::job;
    /// Runs a loop in this thread until the task has ended, then cancels and awaits all others.
    void run(const aio::run_options& options);

private:
    void done() noexcept override { ended_ = true; }
    bool ended_ = false;
};

} // namespace heddle::detail

namespace heddle::aio {

/// Runs an event loop in this thread until `main`, a task or anything else to await, has ended;
/// returns its value, or throws what it throws. What Python's `asyncio.run` is.
///
/// Blocks; in a task of a pool another thread stands in while the loop sleeps. Tasks that are left
/// when `main` ends are cancelled and awaited before it returns, what is shielded too. The
/// first Ctrl-C (SIGINT) cancels `main`, which then, unless it has its own mind, ends in
/// `cancelled_error`; the next one ends the process as usual. A program that has its own handler
/// for SIGINT keeps it; of several loops, in several threads, the first that started is cancelled.
///
/// Throws `invalid_state_error` inside a running loop, or if `main` was moved from; nothing was
/// run then. Cost: about 1 µs. Thread safety: callable from any thread, one loop in each.
///
/// Example:
///     int main() { return heddle::aio::run(serve()); }
template <awaitable A>
detail::awaited_t<A> run(A main, const run_options& options = {}) {
    detail::owning<detail::root_job, detail::awaited_t<A>> root(detail::as_task(std::move(main)));
    root.run(options);
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
