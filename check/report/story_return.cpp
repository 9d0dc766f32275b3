// The story of a local that is used when its function has returned.
#include "teller.hpp"

namespace heddle::check {

void teller::tell_return() {
    const run_result& r = c.result;
    const named local = names.variable_at(r.at.address, r.what);
    f.variable = local.name;
    const bool thread_ended = r.other.where.count == 0;
    const source_place use = place(r.at.where), left = place(r.other.where);
    const std::string user = who(r.at.thread), owner = who(r.other.thread);
    const std::string function = left.function.empty() ? "its function" : left.function;
    const std::string whose = thread_ended ? fmt::format("{}, which has ended", owner)
                                           : fmt::format("{}, which has returned", function);
    const char* verb = r.at.write ? "writes" : "reads";
    const std::string what = local.nameless || f.variable.starts_with("a local of")
                                 ? std::string("a local")
                                 : fmt::format("{}, a local", fmt::format("`{}`", f.variable));
    remember(use);
    if (!thread_ended) remember(left);
    claim = fmt::format("Use after return: {} {} {} of {}", user, verb, what, whose);
    f.message = fmt::format("{} {} {} of {}, at {}", user, verb, what, whose, where(use));

    variables.push_back({r.at.address, local, ""});
    for (const event* e : events) {
        if (e->step >= r.other.step || !touches(*e, r.at.address)) continue;
        if (names.in_program(e->where) && is_access(e->kind)) add_access(*e, 0);
    }
    if (steps.size() > 3) steps.erase(steps.begin(), steps.end() - 3);
    event end{};
    end.step = r.other.step;
    end.thread = r.other.thread;
    end.kind = op::thread_end;
    end.where = r.other.where;
    add_line(end, thread_ended ? "ends" : fmt::format("returns from {}", function));
    add_end(r.at.thread, fmt::format("{} the dead local", verb), use);
    steps.back().value.clear();

    why = fmt::format(
        "{} lives until {}{}. {} still had a pointer to it, and nothing made {} wait; "
        "what it {} at {} may be anything by then.",
        f.variable.starts_with("a local of") ? "The local" : fmt::format("`{}`", f.variable),
        thread_ended ? owner + " ends" : function + " returns",
        thread_ended ? "" : fmt::format(" ({}, at {})", owner, where(left)),
        capital(user),
        owner,
        verb,
        where(use));
    advice = "join the thread before the function returns; or give it a copy of its own, or a "
             "std::shared_ptr.";
}

} // namespace heddle::check
