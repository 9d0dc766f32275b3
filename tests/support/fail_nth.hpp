/// Makes the N-th allocation of a thread fail, to try every path that `std::bad_alloc` can take.
#pragma once

namespace heddle::test {

/// While one exists, the `n`-th allocation (from 0) of this thread throws `std::bad_alloc`.
///
/// Works through a replaced global `operator new`, so everything that allocates in this program
/// is covered, the standard library too.
///
/// Thread safety: counts the allocations of its own thread only. Lifetime: one a thread at a time.
class fail_nth {
public:
    explicit fail_nth(long n) noexcept;
    ~fail_nth();
    fail_nth(const fail_nth&) = delete;
    fail_nth& operator=(const fail_nth&) = delete;

    /// Tells whether the allocation has failed by now.
    bool fired() const noexcept;
};

/// Calls `attempt(n)` with the n-th allocation failing, for n = 0, 1, … until none fails any more;
/// returns how many did. `attempt` must catch what it expects to be thrown.
template <class F>
long fail_each(F attempt) {
    for (long n = 0;; ++n) {
        fail_nth failing(n);
        attempt(n);
        if (!failing.fired()) return n;
    }
}

} // namespace heddle::test
