#pragma once
// Strategies: who runs next. They are functions of what they are shown and of a seed, nothing else;
// what they are shown are stable ids (thread = order of creation, object and location = order of
// first appearance), never addresses, so that the same seed gives the same run everywhere.

#include "../runtime/protocol.hpp"

namespace heddle::check {

/// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
class random_source {
public:
    constexpr explicit random_source(u64 seed) : state_(seed) {}
    u64 next();
    u32 below(u32 n) { return n < 2 ? 0 : static_cast<u32>((next() >> 32) * n >> 32); }
    bool one_in(u32 n) { return below(n) == 0; }

private:
    u64 state_;
};

/// A thread that may be given the turn, and what it does as soon as it has it.
struct candidate {
    u32 thread;
    op kind;
    bool writes;
    bool early; // its sleep or wait would end before its time, or without a reason
    bool main_end;
    u32 location; // 0: not a learned one
    u32 object;
    u64 serial;              // changes with every operation of that thread
    bool only_waits = false; // it goes round a loop that another thread has to end
    bool holds_lock = false;
    bool again = false; // on the same object as the operation before
};

struct situation {
    const candidate* list; // by thread id, rising
    u32 count;             // at least 1
    u32 current;           // index of the thread that runs now; `count` when it cannot go on
    bool yielding;         // the current thread asked to let others go first, or spins
    bool spinning;         // it does so again and again: it waits for somebody else
    u32 default_choice;    // index of what the default schedule does
    u32 locations;         // how many have been learned
    u64 point;             // number of this decision; those of threads that only wait do not count
};

/// Which strategy schedule `number` of a mix uses; 1 and 2 are the two without preemption.
strategy_kind strategy_of(strategy_kind asked, u64 seed, u64 number);

/// The name used on the command line.
const char* name_of(strategy_kind kind);

class strategy {
public:
    /// `points`: how many decisions a run of this program takes, roughly.
    void begin(strategy_kind kind, u64 seed, u64 number, u64 points);

    u32 choose(const situation& now);

    /// Which of `n` waiters, longest waiting first, a notification goes to.
    u32 choose_waiter(u32 n);

    /// Whether this run makes a point of every memory access, not just of learned ones.
    bool every_access() const { return every_access_; }

    /// Whether this run lets timed waits end early although others could run.
    bool early_timeouts() const { return early_timeouts_; }

    /// Whether waits on condition variables may end in this run without a notification, as the
    /// standard allows.
    bool spurious_wakeups() const { return spurious_; }

    strategy_kind kind() const { return kind_; }
    u32 preset() const { return preset_; }

private:
    bool gives_way(const situation& now) const;
    u32 filter(const situation& now);
    u32 reversed(const situation& now, u32 n) const;
    u32 random_walk(const situation& now, u32 n);
    u32 pct(const situation& now, u32 n);
    u32 pos(const situation& now, u32 n);
    u32 hold(const situation& now, u32 n);
    void plan_hold(u64 number);
    bool held_back(const candidate& c) const;

    strategy_kind kind_ = strategy_kind::in_order;
    random_source random_{0};
    u32 preset_ = 0;
    bool every_access_ = false, early_timeouts_ = false, main_last_ = false;
    bool heeds_yields_ = false, skips_waits_ = false, spurious_ = false;
    u32 main_waits_ = 0;
    u32 change_points_ = 0;
    u64 change_at_[8] = {};
    u64 lowest_ = 0;
    // What `hold` holds back besides learned places.
    enum class held_class : u32 { none, waits, again } held_class_ = held_class::none;
    bool newest_first_ = false, main_first_ = false;
    u32 held_[3] = {};
    u32 held_count_ = 0;

    struct per_thread {
        u64 priority, serial;
        // Not of that thread: two lists of one decision. Here, so that few threads touch few pages.
        u32 allowed, passing;
    };
    per_thread of_[max_threads] = {};
};

} // namespace heddle::check
