#include "choices.hpp"

#include "failure.hpp"

namespace heddle::check::rt {

namespace {

u64 own_step() {
    const thread* t = g.current;
    return t->own_steps + (g.step - t->turn_began);
}

/// The next choice of the thread that has the turn, by its own steps; null when none is left.
const choice* next_of_thread() {
    thread* t = g.current;
    const u32 end = g.shared->config.choices;
    for (; t->next_choice < end; ++t->next_choice) {
        const choice& c = g.shared->choices_in[t->next_choice];
        if (c.by == t->id && c.own_step >= own_step()) return &c;
    }
    return nullptr;
}

const choice* take_by_thread(choice::kind_t kind) {
    const choice* next = next_of_thread();
    if (next == nullptr || next->own_step != own_step() || next->kind != kind) return nullptr;
    ++g.current->next_choice;
    return next;
}

const choice* take_by_run(choice::kind_t kind) {
    const run_config& c = g.shared->config;
    const choice* const all = g.shared->choices_in;
    const bool lenient = c.replay == replaying::what_fits;
    while (lenient && g.next_choice < c.choices && all[g.next_choice].step < g.step)
        ++g.next_choice;
    if (g.next_choice >= c.choices) return nullptr;
    const choice* next = &all[g.next_choice];
    if (next->step < g.step) fail_diverged(g.step, 0, 0);
    if (next->step != g.step || next->kind != kind) return nullptr;
    ++g.next_choice;
    return next;
}

} // namespace

const choice* recorded(choice::kind_t kind) {
    if (!is_replay()) return nullptr;
    const bool by_thread = g.shared->config.replay == replaying::by_thread;
    const choice* found = by_thread ? take_by_thread(kind) : take_by_run(kind);
    if (found != nullptr) set_alarm();
    return found;
}

u64 next_choice_step() {
    const run_config& c = g.shared->config;
    if (c.replay == replaying::by_thread) {
        const choice* next = next_of_thread();
        return next == nullptr ? ~u64{0} : g.step + (next->own_step - own_step());
    }
    const bool left = is_replay() && g.next_choice < c.choices;
    return left ? g.shared->choices_in[g.next_choice].step : ~u64{0};
}

bool choices_full() {
    return g.shared->result.choices >= max_choices;
}

void log_choice(choice::kind_t kind, u32 value) {
    if (choices_full()) return;
    choice& next = g.shared->choices_out[g.shared->result.choices++];
    next = {g.step, kind, value, own_step(), g.current->id};
}

} // namespace heddle::check::rt
