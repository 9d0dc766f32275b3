#include "strategy.hpp"

#include <iterator>

namespace heddle::check {

namespace {

constexpr u64 high = u64{1} << 62; // above this: priorities drawn at random; below: demoted ones

/// How many decisions main is held back at its end while others can run.
constexpr u32 main_patience = 5000;

/// Bugs that need no spurious wake-up are told without one.
constexpr u64 first_spurious = 8;

} // namespace

u64 random_source::next() {
    u64 x = state_ += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

strategy_kind strategy_of(strategy_kind asked, u64 seed, u64 number) {
    if (number == 1) return strategy_kind::in_order;
    if (number == 2) return strategy_kind::reversed;
    if (asked != strategy_kind::mix) return asked;
    // First the three plans of plan_hold(). Of the others, holding back is good at all that was
    // measured, PCT at what takes few switches, POS at what takes many; random walk is the best at
    // nothing, and there for what nobody has thought of.
    using enum strategy_kind;
    constexpr strategy_kind early[] = {
        hold, hold, hold, pct, pos, hold, pct, pos, hold, pct, pos, hold, pct, pos};
    constexpr strategy_kind later[] = {hold,
                                       hold,
                                       hold,
                                       hold,
                                       hold,
                                       hold,
                                       pos,
                                       pos,
                                       pos,
                                       pos,
                                       pos,
                                       pos,
                                       pct,
                                       pct,
                                       pct,
                                       random_walk};
    if (number < 3 + std::size(early)) return early[number - 3];
    random_source random(seed * 31 + number);
    return later[random.below(static_cast<u32>(std::size(later)))];
}

const char* name_of(strategy_kind kind) {
    switch (kind) {
    case strategy_kind::in_order: return "in-order";
    case strategy_kind::reversed: return "reversed";
    case strategy_kind::random_walk: return "random-walk";
    case strategy_kind::pct: return "pct";
    case strategy_kind::pos: return "pos";
    case strategy_kind::hold: return "hold";
    case strategy_kind::mix: return "mix";
    case strategy_kind::count: break;
    }
    return "unknown";
}

void strategy::begin(strategy_kind kind, u64 seed, u64 number, u64 points) {
    kind_ = strategy_of(kind, seed, number);
    random_ = random_source(seed * 0x2545f4914f6cdd1d + number);
    if (kind_ == strategy_kind::in_order || kind_ == strategy_kind::reversed) return;
    every_access_ = random_.one_in(5);
    early_timeouts_ = random_.one_in(4);
    main_last_ = !random_.one_in(8);
    heeds_yields_ = random_.one_in(2);
    skips_waits_ = !random_.one_in(4);
    if (kind_ == strategy_kind::pct) {
        preset_ = 2 + random_.below(4);
        change_points_ = preset_ - 1;
        const u32 range = points < 2 ? 2 : points > 1u << 30 ? 1u << 30 : static_cast<u32>(points);
        for (u32 i = 0; i < change_points_; ++i) change_at_[i] = 1 + random_.below(range);
    }
    if (kind_ == strategy_kind::random_walk) preset_ = random_.one_in(3) ? 8 : 1;
    if (kind_ == strategy_kind::hold) plan_hold(number);
    // By a draw of its own, so that the others are what they were without it.
    spurious_ = number >= first_spurious && random_source(seed - number).one_in(6);
    lowest_ = high - 1;
}

u32 strategy::choose_waiter(u32 n) {
    if (kind_ == strategy_kind::in_order || n < 2) return 0;
    if (kind_ == strategy_kind::reversed) return n - 1;
    return random_.below(n);
}

/// A yield promises nothing: half of the runs ignore it, until the thread clearly only waits.
bool strategy::gives_way(const situation& now) const {
    return now.yielding && (heeds_yields_ || now.spinning);
}

/// Leaves out who should not run now: main at its end while others can, a yielding thread, and
/// those whose wait would end early, unless this run plays that game.
u32 strategy::filter(const situation& now) {
    u32 others = 0, busy = 0;
    for (u32 i = 0; i < now.count; ++i) {
        const candidate& c = now.list[i];
        if (c.early || c.main_end) continue;
        ++others;
        if (!c.only_waits) ++busy;
    }
    const bool skip = skips_waits_ && busy > 0;
    const bool keep_main =
        main_last_ && (skips_waits_ ? busy : others) > 0 && main_waits_ < main_patience;
    u32 n = 0;
    bool held_main = false;
    for (u32 i = 0; i < now.count; ++i) {
        const candidate& c = now.list[i];
        if (c.main_end && keep_main) {
            held_main = true;
            continue;
        }
        if (i == now.current && gives_way(now) && others > 1) continue;
        // Not always: the loop may count its rounds, and what comes after it be the bug.
        if (skip && c.only_waits && !random_.one_in(64)) continue;
        // A sleeper may wake early in every random run; the engine shows waits as early candidates
        // only where early_timeouts() or spurious_wakeups() allows it.
        if (c.early && !random_.one_in(4)) continue;
        of_[n++].allowed = i;
    }
    if (held_main) ++main_waits_;
    if (n == 0) of_[n++].allowed = now.default_choice;
    return n;
}

u32 strategy::choose(const situation& now) {
    if (kind_ == strategy_kind::in_order) return now.default_choice;
    if (kind_ == strategy_kind::reversed) {
        u32 n = 0;
        bool busy = false;
        for (u32 i = 0; i < now.count; ++i) busy |= !now.list[i].early && !now.list[i].only_waits;
        for (u32 i = 0; i < now.count; ++i)
            if (!now.list[i].early && !(busy && now.list[i].only_waits)) of_[n++].allowed = i;
        return reversed(now, n);
    }
    const u32 n = filter(now);
    switch (kind_) {
    case strategy_kind::pct: return pct(now, n);
    case strategy_kind::pos: return pos(now, n);
    case strategy_kind::hold: return hold(now, n);
    default: return random_walk(now, n);
    }
}

u32 strategy::reversed(const situation& now, u32 n) const {
    const bool goes_on = now.current < now.count && !now.yielding;
    for (u32 i = 0; i < n; ++i)
        if (goes_on && of_[i].allowed == now.current) return now.current;
    for (u32 i = n; i > 0; --i)
        if (of_[i - 1].allowed < now.current) return of_[i - 1].allowed;
    return n == 0 ? now.default_choice : of_[n - 1].allowed;
}

u32 strategy::random_walk(const situation& now, u32 n) {
    const bool may_stay = now.current < now.count && !gives_way(now);
    if (preset_ > 1 && may_stay && !now.list[now.current].main_end && !random_.one_in(preset_))
        return now.current;
    return of_[random_.below(n)].allowed;
}

/// Burckhardt, Kothari, Musuvathi, Nagarakatte: A randomized scheduler with probabilistic
/// guarantees of finding bugs, ASPLOS 2010.
u32 strategy::pct(const situation& now, u32 n) {
    if (now.current < now.count) {
        const u32 thread = now.list[now.current].thread;
        const bool counts = !now.list[now.current].only_waits; // else this point was there before
        for (u32 i = 0; counts && i < change_points_; ++i)
            if (change_at_[i] == now.point) of_[thread].priority = lowest_--;
        if (gives_way(now)) of_[thread].priority = lowest_--;
    }
    u32 best = of_[0].allowed;
    for (u32 i = 0; i < n; ++i) {
        const u32 thread = now.list[of_[i].allowed].thread;
        if (of_[thread].priority == 0) of_[thread].priority = high + (random_.next() >> 3);
        if (of_[thread].priority > of_[now.list[best].thread].priority) best = of_[i].allowed;
    }
    return best;
}

/// Yuan, Yang, Gu: Partial order aware concurrency sampling, CAV 2018.
u32 strategy::pos(const situation& now, u32 n) {
    u32 best = of_[0].allowed;
    for (u32 i = 0; i < n; ++i) {
        const candidate& c = now.list[of_[i].allowed];
        if (of_[c.thread].serial != c.serial || of_[c.thread].priority == 0) {
            of_[c.thread].serial = c.serial;
            of_[c.thread].priority = 1 + (random_.next() >> 2);
        }
        if (of_[c.thread].priority > of_[now.list[best].thread].priority) best = of_[i].allowed;
    }
    const candidate& chosen = now.list[best];
    of_[chosen.thread].priority = 0;
    for (u32 i = 0; i < now.count; ++i) {
        const candidate& c = now.list[i];
        if (c.object == chosen.object && c.object != 0 && (c.writes || chosen.writes))
            of_[c.thread].priority = 0; // it races with the chosen one: draw again
    }
    return best;
}

/// Three schedules are the same for every seed, because what they hold back makes half of all bugs.
/// In the first a thread that is about to take a lock while it holds another (deadlock), or to
/// sleep until it is told (lost wake-up). In the others one that comes back to what it has just
/// used: to write what it made of an old value, or to act on what it checked. When all are held,
/// the last moment before the bug has come. The newest thread goes first; in the third schedule
/// main does, so that all threads are there before one of them is done.
void strategy::plan_hold(u64 number) {
    constexpr u64 first = 3;
    constexpr held_class classes[] = {held_class::waits, held_class::again, held_class::again};
    if (number < first + std::size(classes)) {
        held_class_ = classes[number - first];
        newest_first_ = true;
        main_first_ = number == first + 2;
        every_access_ = early_timeouts_ = false;
        main_last_ = heeds_yields_ = skips_waits_ = true;
        return;
    }
    preset_ = 1 + random_.below(3);
    if (random_.one_in(4)) held_class_ = classes[random_.below(2)];
}

bool strategy::held_back(const candidate& c) const {
    for (u32 h = 0; h < held_count_; ++h)
        if (c.location == held_[h]) return true;
    const bool waits = held_class_ == held_class::waits;
    const bool again = held_class_ == held_class::again && c.again;
    switch (c.kind) {
    case op::lock:
    case op::read_lock:
    case op::sem_wait: return (waits && c.holds_lock) || again;
    case op::cond_wait:
    case op::futex_wait:
    case op::poll:
    case op::input: return waits;
    case op::read:
    case op::write:
    case op::atomic_load:
    case op::atomic_store:
    case op::atomic_rmw: return again && c.location != 0;
    default: return false;
    }
}

/// Holds back whoever arrives at one of a few learned places until nobody else can run.
u32 strategy::hold(const situation& now, u32 n) {
    if (held_count_ == 0 && now.locations > 0)
        for (; held_count_ < preset_; ++held_count_)
            held_[held_count_] = 1 + random_.below(now.locations);
    u32 free = 0;
    bool may_stay = false;
    for (u32 i = 0; i < n; ++i) {
        if (held_back(now.list[of_[i].allowed])) continue;
        of_[free++].passing = of_[i].allowed;
        may_stay |= of_[i].allowed == now.current;
    }
    if (free == 0) return of_[random_.below(n)].allowed;
    if (main_first_ && now.list[of_[0].passing].thread == 0) return of_[0].passing;
    if (newest_first_) return of_[free - 1].passing;
    if (may_stay && !gives_way(now) && !random_.one_in(4)) return now.current;
    return of_[random_.below(free)].passing;
}

} // namespace heddle::check
