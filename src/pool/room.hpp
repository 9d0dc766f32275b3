/// The bound of a bounded pool: how many tasks may be queued and not started.
#pragma once

#include <heddle/detail/parking.hpp>

#include <cstddef>

namespace heddle::detail {

/// Thread safety: all members may be called from any thread. Lifetime: the pool's.
class room {
public:
    explicit room(std::size_t places) : places_(places) {}

    /// Takes a place if there is one; never blocks.
    bool try_take() {
        std::lock_guard lock(mutex_);
        if (closed_ || taken_ == places_) return false;
        ++taken_;
        return true;
    }
    /// Waits for a place; false if the pool was shut down first.
    bool take() {
        std::unique_lock lock(mutex_);
        free_.wait(lock, deadline::never(), [&] { return closed_ || taken_ < places_; });
        if (closed_) return false;
        ++taken_;
        return true;
    }
    /// Gives a place back: its task has started, or will never start.
    void leave() {
        std::unique_lock lock(mutex_);
        --taken_;
        free_.notify_one(lock);
    }
    /// Wakes all who wait in take(), for good.
    void close() {
        std::unique_lock lock(mutex_);
        closed_ = true;
        free_.notify_all(lock);
    }

private:
    light_mutex mutex_;
    wait_list free_;
    const std::size_t places_;
    std::size_t taken_ = 0;
    bool closed_ = false;
};

} // namespace heddle::detail
