#include "event_loop.hpp"

#include <heddle/detail/task_promise.hpp>
#include <heddle/error.hpp>

#include <cassert>
#include <utility>

namespace heddle::detail {

constinit thread_local loop_here this_loop;

void throw_no_loop(const char* what) {
    throw invalid_state_error(std::string(what) +
                              ": no event loop runs here; call it from a coroutine that aio::run, "
                              "directly or through others, runs");
}

reactor* loop_reactor() noexcept {
    return this_loop.loop ? this_loop.loop->where() : nullptr;
}

reactor& make_loop_reactor(std::unique_ptr<reactor> (*make)(int wake)) {
    (void)this_job("aio::io_context");
    event_loop& loop = *this_loop.loop;
    if (!loop.where()) loop.sleep_in(make(loop.box()->wake_descriptor()));
    return *loop.where();
}

job_list& loop_jobs() noexcept {
    return this_loop.loop->owned();
}

const std::shared_ptr<mailbox>& this_mailbox() {
    return this_loop.loop->box();
}

void resume_from_loop(std::coroutine_handle<> h) noexcept {
    this_loop.loop->bounce(h);
}

// --- leaf --------------------------------------------------------------------------------------

void leaf::resume() noexcept {
    this_loop.loop->push(*job_);
}

void leaf::yield(std::coroutine_handle<> at) noexcept {
    job_->at_ = at;
    this_loop.loop->push(*job_);
}

void leaf::throw_cancelled() {
    throw cancelled_error("the coroutine was cancelled while it waited");
}

// --- job ---------------------------------------------------------------------------------------

void job::start(job_list& owner) noexcept {
    owner.add(*this);
    at_ = root_handle();
    this_loop.loop->push(*this);
}

void job::cancel() noexcept {
    if (cancelled_) return;
    cancelled_ = true;
    if (state_ == state::suspended) waiting_->cancel();
}

void job::end() noexcept {
    next->previous = previous;
    previous->next = next;
    if (this_loop.current == this) this_loop.current = nullptr;
    done(); // it MAY DIE
}

std::coroutine_handle<> job::root_handle() const noexcept {
    // The promise is where it is in a frame of any task<T>: task_promise bounds its alignment.
    return std::coroutine_handle<promise_base>::from_promise(*root_);
}

std::exception_ptr job::failure() const noexcept {
    if (!skipped_) return root_->failure();
    return std::make_exception_ptr(
        cancelled_error("the coroutine was cancelled before anything of it ran"));
}

bool job::cut() const noexcept {
    return cancelled_ && (skipped_ || is_cancellation(root_->failure()));
}

// --- event_loop --------------------------------------------------------------------------------

event_loop::event_loop(duration watchdog)
    : box_(std::make_shared<mailbox>()), watchdog_(watchdog.count()) {
    if (this_loop.loop) {
        throw invalid_state_error("aio::run: an event loop runs in this thread already; await the "
                                  "task, or spawn it");
    }
    this_loop = {this, nullptr, 0};
}

event_loop::~event_loop() {
    read_mail(box_->close());
    reactor_.reset();
    assert(owned_.empty() && timers_.empty() && "all jobs end before their loop");
    this_loop = {};
}

void event_loop::push(job& j) noexcept {
    j.state_ = job::state::queued;
    j.next_ready_ = nullptr;
    (ready_last_ ? ready_last_->next_ready_ : ready_) = &j;
    ready_last_ = &j;
}

void event_loop::run(job& root, const bool& root_ended) {
    for (;;) {
        if (box_->take_interrupt()) root.cancel();
        turn();
        if (root_ended) break;
        sleep();
    }
    while (!owned_.empty()) {
        owned_.for_each([](job& j) { j.cancel(); });
        (void)box_->take_interrupt(); // there is nothing left to cancel
        turn();
        sleep();
    }
}

void event_loop::turn() noexcept {
    run_ready();
    if (box_->has_mail()) read_mail(box_->take());
    if (!timers_.empty()) timers_.fire(now_ns());
}

void event_loop::sleep() noexcept {
    if (owned_.empty()) return;
    if (!ready_) {
        box_->wait(timers_.empty() ? deadline::never() : deadline{timers_.next_ns()},
                   reactor_.get());
    } else if (reactor_) {
        reactor_->run(deadline{0}); // what has come; no sleep
    }
}

/// Runs what is ready now; what becomes ready meanwhile has its turn after mail and timers.
void event_loop::run_ready() noexcept {
    job* next = std::exchange(ready_, nullptr);
    ready_last_ = nullptr;
    while (job* j = next) {
        next = j->next_ready_;
        if (next) next->prefetch();
        if (watchdog_ != 0) run_watched(*j);
        else run_one(*j);
    }
}

/// Tells whether the job is still there.
bool event_loop::run_one(job& j) noexcept {
    this_loop.current = &j;
    j.state_ = job::state::running;
    if (j.cancelled_ && !j.started_) {
        j.skipped_ = true;
        j.end(); // it MAY DIE
    } else {
        j.started_ = true;
        std::coroutine_handle<> at = j.at_;
        do {
            this_loop.depth = 0;
            at.resume(); // the job MAY DIE
            at = std::exchange(bounced_, nullptr);
        } while (at);
    }
    return std::exchange(this_loop.current, nullptr) != nullptr;
}

void event_loop::run_watched(job& j) noexcept {
    const void* const code = code_of(j.at_);
    const std::int64_t began = now_ns();
    const bool is_left = run_one(j);
    const std::int64_t took = now_ns() - began;
    if (took <= watchdog_) return;
    report_kept(duration(took), code, is_left && j.state_ == job::state::suspended ? &j : nullptr);
}

void event_loop::read_mail(mail* first) noexcept {
    while (mail* m = first) {
        first = m->next;
        m->run(*m); // it MAY DIE
    }
}

} // namespace heddle::detail
