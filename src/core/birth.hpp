/// Whether this is the process that made something: a child of fork() has a copy of it, but not its
/// threads.
#pragma once

#include "context.hpp"

namespace heddle::detail {

/// A member of what has a thread of its own. Thread safety: a value.
class birth {
public:
    birth() : forks_(count()) {}

    /// True in a forked child of the process that made it.
    bool was_elsewhere() const noexcept { return now() != forks_; }
    /// What `task::set_owner` wants to know.
    int forks() const noexcept { return forks_; }

private:
    static int count() {
        watch_forks();
        return now();
    }
    static int now() noexcept {
        // relaxed: see forks_survived.
        return forks_survived.load(std::memory_order_relaxed);
    }

    int forks_;
};

} // namespace heddle::detail
