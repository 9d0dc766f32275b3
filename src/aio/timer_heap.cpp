#include "event_loop.hpp"

#include <algorithm>

namespace heddle::detail {

namespace {
constexpr std::size_t arity = 4;
}

void timer_heap::place(std::size_t i, const entry& e) noexcept {
    entries_[i] = e;
    e.what->index_ = i;
}

void timer_heap::sift_up(std::size_t i, const entry& e) noexcept {
    while (i != 0 && e.before(entries_[(i - 1) / arity])) {
        place(i, entries_[(i - 1) / arity]);
        i = (i - 1) / arity;
    }
    place(i, e);
}

void timer_heap::sift_down(std::size_t i, const entry& e) noexcept {
    for (;;) {
        const std::size_t first = i * arity + 1;
        if (first >= entries_.size()) break;
        std::size_t least = first;
        const std::size_t end = std::min(first + arity, entries_.size());
        for (std::size_t c = first + 1; c < end; ++c) {
            if (entries_[c].before(entries_[least])) least = c;
        }
        if (!entries_[least].before(e)) break;
        place(i, entries_[least]);
        i = least;
    }
    place(i, e);
}

void timer_heap::add(timer& t, std::int64_t at) {
    entries_.push_back({at, count_, &t});
    sift_up(entries_.size() - 1, {at, count_, &t});
    ++count_;
}

void timer_heap::remove(timer& t) noexcept {
    const std::size_t hole = t.index_;
    t.index_ = timer::none;
    const entry last = entries_.back();
    entries_.pop_back();
    if (hole == entries_.size()) return;
    if (hole != 0 && last.before(entries_[(hole - 1) / arity])) sift_up(hole, last);
    else sift_down(hole, last);
}

void timer_heap::fire(std::int64_t now) noexcept {
    while (!entries_.empty() && entries_.front().at <= now) {
        timer& t = *entries_.front().what;
        remove(t);
        t.expired(); // it MAY DIE
    }
}

void timer::arm(deadline at) {
    if (!at.is_never()) this_loop.loop->timers().add(*this, at.ns);
}

void timer::disarm() noexcept {
    if (armed()) this_loop.loop->timers().remove(*this);
}

} // namespace heddle::detail
