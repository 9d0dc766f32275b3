/// How long a thread looks again and again for what it waits for before it sleeps.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace heddle::detail {

/// The end of a spin, by the clock: a `pause` takes 4 ns on one machine and 45 on another, where a
/// count that is right for the one makes threads sleep all the time on the other.
class spin_limit {
public:
    explicit spin_limit(std::chrono::microseconds longest) noexcept : longest_(longest) {}

    /// True once the time is up. Call it after each look, with the number of pauses before it.
    bool reached(int pauses = 1) noexcept {
        unread_ += pauses;
        if (unread_ < pauses_per_reading) return false;
        unread_ = 0;
        // Real time, even where a test sets the clock: what is waited for is another core.
        const auto now = std::chrono::steady_clock::now();
        if (end_ == never_read) end_ = now + longest_;
        return now >= end_;
    }

private:
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr int pauses_per_reading = 16; // a reading costs 20 ns and more
    static constexpr time_point never_read{};

    std::chrono::microseconds longest_;
    int unread_ = 0;
    time_point end_ = never_read;
};

/// Learns whether spinning pays, from whether it did: it never does where the thread that is
/// waited for needs the same core. After four misses in a row only every 16th wait spins.
class spin_habit {
public:
    bool worthwhile() noexcept { return misses_ < most || ++skipped_ % 16 == 0; }
    void note(bool paid) noexcept { misses_ = paid ? 0 : std::min(misses_ + 1, most); }

private:
    static constexpr int most = 4;
    int misses_ = 0;
    std::uint32_t skipped_ = 0;
};

} // namespace heddle::detail
