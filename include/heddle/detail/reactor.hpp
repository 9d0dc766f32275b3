/// How something that waits for the world (sockets, signals, children) gets a loop to sleep in it.
#pragma once

#include <heddle/time.hpp>

#include <memory>

namespace heddle::detail {

/// Where a loop sleeps when it has one. Without, it sleeps on a word of its own, and nothing here
/// is used.
///
/// Thread safety: the loop's thread. Lifetime: owned by the loop, and gone before it, after all
/// jobs have ended.
class reactor {
public:
    virtual ~reactor() = default;
    /// Runs the completions that have come, which resume leaves; if there are none, waits for one,
    /// for a byte in the loop's `wake` descriptor, or until `limit`.
    virtual void run(deadline limit) noexcept = 0;

protected:
    reactor() = default;
    reactor(const reactor&) = delete;
    reactor& operator=(const reactor&) = delete;
};

/// The running loop's reactor, made by `make` if it has none yet. `make` is given a descriptor, the
/// loop's, that is readable when the loop is wanted: reading it takes that back.
///
/// Throws invalid_state_error outside a loop, std::system_error if there are no descriptors left,
/// and what `make` throws; the loop is unchanged then.
reactor& make_loop_reactor(std::unique_ptr<reactor> (*make)(int wake));
/// The running loop's reactor; null if it has none.
reactor* loop_reactor() noexcept;

} // namespace heddle::detail
