#include "slots.hpp"

#include "transfer.hpp"

#include <algorithm>

namespace heddle::http::detail {

namespace {
constexpr std::size_t most_remembered = 1000; // servers without a request
} // namespace

void slots::ask(transfer& t) {
    server& s = servers_.try_emplace(t.target).first->second;
    s.met |= !t.target.tls;
    s.waiting.push_back(&t);
    t.at = &s;
    t.turn = transfer::turn_is::waiting;
    promote(s);
}

/// A deque may allocate, so this can fail; then the request stays where it is, and the next one
/// that leaves promotes it.
void slots::promote(server& s) noexcept {
    const int most = s.met ? most_ : 1;
    while (s.active < most && !s.waiting.empty()) {
        transfer* const first = s.waiting.front();
        try {
            ready_.push_back(first);
        } catch (const std::bad_alloc&) {
            return;
        }
        s.waiting.pop_front();
        first->turn = transfer::turn_is::ready;
        ++s.active;
    }
}

transfer* slots::next() noexcept {
    if (!has_next()) return nullptr;
    transfer* const first = ready_.front();
    ready_.pop_front();
    first->turn = transfer::turn_is::running;
    ++running_;
    return first;
}

void slots::met(transfer& t) noexcept {
    if (t.at->met) return;
    t.at->met = true;
    promote(*t.at);
}

void slots::leave(transfer& t) noexcept {
    if (t.turn == transfer::turn_is::none) return;
    server& s = *t.at;
    switch (t.turn) {
    case transfer::turn_is::none: break;
    case transfer::turn_is::waiting: s.waiting.erase(std::ranges::find(s.waiting, &t)); break;
    case transfer::turn_is::ready:
        ready_.erase(std::ranges::find(ready_, &t));
        --s.active;
        break;
    case transfer::turn_is::running:
        --running_;
        --s.active;
        break;
    }
    t.turn = transfer::turn_is::none;
    t.at = nullptr;
    promote(s);
    const bool idle = s.active == 0 && s.waiting.empty();
    if (idle && servers_.size() > most_remembered) servers_.erase(t.target);
}

} // namespace heddle::http::detail
