// A decision that no longer holds: a thread has looked at something, others change it, and the
// thread goes on with what it had seen. What fails in the end may be another variable.
#include "teller.hpp"

#include <set>

namespace heddle::check {

namespace {

constexpr std::size_t remembered = 8; // accesses before the interruption that may have decided

/// Accesses of the program's own lines to what several threads use, in order.
class shared_accesses {
public:
    explicit shared_accesses(const teller& t) : t_(t) {
        std::map<u64, std::set<u32>> users;
        for (const event* e : t.events)
            if (is_access(e->kind)) users[e->address].insert(e->thread);
        for (const event* e : t.events)
            if (is_access(e->kind) && users[e->address].size() > 1 && t.names.in_program(e->where))
                all_.push_back(e);
        for (std::size_t i = 0; i < all_.size(); ++i) of_[all_[i]->thread].push_back(i);
    }

    /// The last look that was overtaken; one without a look when there is none.
    stale_look last_stale_look() const {
        stale_look found;
        std::size_t found_at = 0;
        for (const auto& [thread, own] : of_)
            for (std::size_t k = 0; k + 1 < own.size(); ++k) {
                if (own[k + 1] == own[k] + 1 || own[k + 1] < found_at) continue; // uninterrupted
                const stale_look here = before(own, k);
                if (here.look == nullptr) continue;
                found = here;
                found_at = own[k + 1];
            }
        return found;
    }

private:
    using indices = std::vector<std::size_t>;

    std::string name(const event& e) const { return t_.names.variable_at(e.address, e.what).name; }

    bool same(const event& a, const event& b) const {
        return touches(a, b.address) || touches(b, a.address) ||
               (t_.variable_at(a.address).library && name(a) == name(b));
    }

    /// What the thread looked at before its k-th access, and others changed before the next one.
    stale_look before(const indices& own, std::size_t k) const {
        for (std::size_t back = 0; back <= k && back < remembered; ++back) {
            const event& look = *all_[own[k - back]];
            if (!is_read(look) || is_write(look)) continue;
            const event* change = nullptr;
            for (std::size_t i = own[k] + 1; i < own[k + 1] && change == nullptr; ++i)
                if (is_write(*all_[i]) && same(*all_[i], look)) change = all_[i];
            bool its_own = false; // it has changed that itself since
            for (std::size_t i = k - back + 1; i <= k; ++i)
                its_own |= is_write(*all_[own[i]]) && same(*all_[own[i]], look);
            if (change == nullptr || its_own || looks_again(own, k + 1, look)) continue;
            return {&look, change, all_[own[k + 1]]};
        }
        return {};
    }

    /// Before it changes anything. What is read in the line of that change does not decide on it.
    bool looks_again(const indices& own, std::size_t from, const event& look) const {
        std::size_t acts = from;
        while (acts < own.size() && !is_write(*all_[own[acts]])) ++acts;
        for (std::size_t k = from; k < acts; ++k) {
            const event& e = *all_[own[k]];
            const bool there = acts < own.size() &&
                               where(t_.place(e.where)) == where(t_.place(all_[own[acts]]->where));
            if (is_read(e) && !there && same(e, look)) return true;
        }
        return false;
    }

    const teller& t_;
    std::vector<const event*> all_;
    std::map<u32, indices> of_; // by thread, into all_
};

std::string detail(const step& s) {
    const std::string text = s.call.empty() ? s.value.substr(0, s.value.find(',')) : s.call + "()";
    return text.empty() ? "" : " (" + text + ")";
}

} // namespace

/// Makes the table of it, and says which rows are the look, the change and what follows.
pattern teller::rows_of(const stale_look& s) {
    const std::size_t none = steps.size();
    pattern p{pattern::check_then_act, none, none, none};
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (steps[i].variable != 0) continue;
        if (steps[i].thread == s.look->thread && steps[i].number <= s.look->step) p.first = i;
        if (steps[i].thread == s.change->thread && steps[i].number <= s.change->step) p.other = i;
    }
    for (std::size_t i = steps.size(); i > 0; --i)
        if (steps[i - 1].thread == s.look->thread && steps[i - 1].number >= s.next->step)
            p.last = i - 1;
    if (p.last < none) return p;
    step next; // it is about something else
    next.number = s.next->step;
    next.thread = s.next->thread;
    next.text = fmt::format("{} `{}`",
                            is_write(*s.next) ? "changes" : "uses",
                            names.variable_at(s.next->address, s.next->what).name);
    next.place = place(s.next->where);
    const auto later = [&](const step& other) { return other.number > next.number; };
    const auto at = std::find_if(steps.begin(), steps.end(), later);
    if (at != steps.begin()) next.value = (at - 1)->value;
    p.last = static_cast<std::size_t>(at - steps.begin());
    steps.insert(at, next);
    return p;
}

/// Whether a thread acts on something that others have changed meanwhile; then tells it, next to
/// the variable `shown` in which that shows.
bool teller::tell_stale_look(u64 shown) {
    const stale_look s = shared_accesses(*this).last_stale_look();
    if (s.look == nullptr) return false;
    const u64 decided = s.look->address;
    const bool both =
        !touches(*s.look, shown) && !variable_at(shown).library && !variable_at(decided).library;
    collect(both ? std::vector<u64>{decided, shown} : std::vector<u64>{decided});
    pattern p = rows_of(s);
    if (p.first >= p.other || p.other >= p.last || p.last >= steps.size()) return false;
    p = crop(p);
    const step &look = steps[p.first], &change = steps[p.other];
    const std::string one = who(look.thread), two = who(change.thread);
    f.variable = variables.front().what.name;
    claim = fmt::format("Check then act on `{}`: {} changes it between {}'s look and what follows",
                        f.variable,
                        two,
                        one);
    why = fmt::format("{} looked at {} in {}{}. In {} {} changed it{}. {} went on in {} with what "
                      "it had seen, and that no longer held.",
                      one,
                      it(),
                      row_of(p.first),
                      detail(look),
                      row_of(p.other),
                      two,
                      detail(change),
                      capital(one),
                      row_of(p.last));
    advice = fmt::format("look at {} and do what follows from it under one lock, held all the "
                         "time, that everybody takes who changes it.",
                         it());
    return true;
}

} // namespace heddle::check
