/// The equation that every executor must keep: nothing that was submitted is lost.
#pragma once

#include <heddle/future.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>

namespace heddle::test {

/// Notes each future given to `track`, and how it ended; `expect_balanced` compares.
///
///     submitted = value + exception + cancelled + broken,   callbacks run = callbacks added
///
/// Tracking looks at the failure, so tests of the failure handler do not track. It holds a handle
/// until the task is done, so tests of results moved out of the only handle do not either.
///
/// Thread safety: all members may be called from any thread. Lifetime: outlives the executors
/// whose futures it tracks.
class ledger {
public:
    /// Counts `f`, now as submitted, later by its end; returns it.
    template <class T>
    future<T> track(future<T> f) {
        submitted_.fetch_add(1);
        f.add_done_callback(callback([this](const future<T>& done) { note(done); }));
        return f;
    }
    /// Wraps a done-callback, which then has to be called exactly once.
    template <class F>
    auto callback(F f) {
        callbacks_added_.fetch_add(1);
        return [this, f = std::move(f)](auto done) mutable {
            callbacks_run_.fetch_add(1);
            f(std::move(done));
        };
    }

    std::uint64_t submitted() const { return submitted_.load(); }
    std::uint64_t values() const { return values_.load(); }
    std::uint64_t exceptions() const { return exceptions_.load(); }
    std::uint64_t cancelled() const { return cancelled_.load(); }
    std::uint64_t broken() const { return broken_.load(); }

    /// Fails the test unless both equations hold. Call it when the executors have ended.
    void expect_balanced() const {
        EXPECT_EQ(submitted(), values() + exceptions() + cancelled() + broken())
            << values() << " values, " << exceptions() << " exceptions, " << cancelled()
            << " cancelled, " << broken() << " broken";
        EXPECT_EQ(callbacks_added_.load(), callbacks_run_.load());
    }

private:
    template <class T>
    void note(const future<T>& done) {
        EXPECT_TRUE(done.done());
        if (done.cancelled()) {
            cancelled_.fetch_add(1);
            return;
        }
        const std::exception_ptr failure = done.exception();
        if (!failure) {
            values_.fetch_add(1);
            return;
        }
        try {
            std::rethrow_exception(failure);
        } catch (const broken_executor_error&) {
            broken_.fetch_add(1);
        } catch (...) {
            exceptions_.fetch_add(1);
        }
    }

    std::atomic<std::uint64_t> submitted_{0}, values_{0}, exceptions_{0}, cancelled_{0}, broken_{0};
    std::atomic<std::uint64_t> callbacks_added_{0}, callbacks_run_{0};
};

} // namespace heddle::test
