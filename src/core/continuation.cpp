#include <heddle/detail/continuation.hpp>
#include <heddle/error.hpp>
#include <heddle/failure.hpp>
#include <heddle/promise.hpp>

#include <stdexcept>
#include <string>
#include <thread>

namespace heddle::detail {

void refuse_empty_callable(const char* where) {
    throw std::invalid_argument(std::string(where) +
                                ": the callable is empty (a null function pointer or an empty "
                                "std::function); pass one that can be called");
}

std::exception_ptr failure_of(task& done) {
    switch (done.current()) {
    case phase::failed: done.look(); return done.ops().failure(done);
    case phase::cancelled: {
        // Not "before it started": a request, or a call in a process, may have been under way.
        const task_info* info = done.info();
        std::string text = info && !info->name.empty() ? "task \"" + info->name + '"' : "the task";
        text += " was cancelled before it was done";
        return std::make_exception_ptr(cancelled_error(text));
    }
    default: return nullptr;
    }
}

void report_callback_failure(const task& of) noexcept {
    failure_info lost;
    try {
        lost.task_name = "callback on " + of.describe();
        if (of.info()) lost.where = of.info()->where;
    } catch (...) {
        // Without memory for the name, report without it.
    }
    lost.address = of.address();
    lost.exception = std::current_exception();
    report_failure(lost);
}

namespace {

struct continuation final : hook {
    explicit continuation(task& then) : hook{.fire = &run}, next(&then) {}
    static void run(hook& self, task&) noexcept {
        task* const next = static_cast<continuation&>(self).next;
        delete static_cast<continuation*>(&self);
        if (next->start()) execute(*next, true);
        else next->drop_owner();
    }
    task* next;
};

} // namespace

void continue_with(task& t, task& next, bool drop_handle) {
    continuation* added = nullptr;
    try {
        added = new continuation(next);
    } catch (...) {
        next.cancel(true);
        next.drop_owner();
        throw;
    }
    if (drop_handle) t.drop_handle();
    if (!t.add_hook(*added)) continuation::run(*added, t);
}

posted_task::~posted_task() {
    if (!task_) return;
    task_->cancel(true);
    task_->drop_owner();
}

void posted_task::operator()() {
    task* const t = std::exchange(task_, nullptr);
    if (t->start()) execute(*t, true);
    else t->drop_owner();
}

void start_detached(std::unique_ptr<detached_call> call) {
    std::thread([call = std::move(call)] { call->run(); }).detach();
}

// --- promise -----------------------------------------------------------------------------------

void throw_promise_state(const task* t) {
    if (!t) throw invalid_state_error("the promise was moved from");
    switch (t->current()) {
    case phase::cancelled:
        throw invalid_state_error("the promise's future was cancelled; nothing can be set");
    case phase::pending:
    case phase::running:
    case phase::setting:
        throw invalid_state_error("the promise is already running, or is being set by another "
                                  "thread");
    default: throw invalid_state_error("the promise is already set; the first result stands");
    }
}

phase begin_setting(task* t) {
    phase before = phase::pending;
    if (!t || !t->start_setting(before)) throw_promise_state(t);
    return before;
}

void drop_promise(task& t) noexcept {
    phase before = phase::pending;
    if (t.start_setting(before)) {
        t.ops().store_failure(
            t,
            std::make_exception_ptr(broken_executor_error(
                "the promise went away without a result; call set_value or set_exception on "
                "every path")));
        t.finish(phase::failed, true);
    } else {
        t.drop_owner();
    }
}

bool set_running(task* t) {
    if (t && t->start()) return true;
    if (t && t->current() == phase::cancelled) return false;
    throw_promise_state(t);
}

} // namespace heddle::detail
