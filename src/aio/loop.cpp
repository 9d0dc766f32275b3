#include "event_loop.hpp"

#include <heddle/error.hpp>

#include <cassert>
#include <utility>

namespace heddle::detail {

constinit thread_local loop_here this_loop;

job& this_job(const char* what) {
    if (!this_loop.current) {
        throw invalid_state_error(std::string(what) +
                                  ": no event loop runs here; call it from a coroutine that "
                                  "aio::run, directly or through others, runs");
    }
    return *this_loop.current;
}

const std::shared_ptr<mailbox>& this_mailbox() {
    return this_loop.loop->box();
}

void resume_from_loop(std::coroutine_handle<> h) noexcept {
    this_loop.loop->bounce(h);
}

// --- leaf --------------------------------------------------------------------------------------

bool leaf::refused(const char* wish) {
    job_ = &this_job(wish);
    return refused_ = job_->cancelled_;
}

void leaf::suspend(std::coroutine_handle<> at) noexcept {
    job_->at_ = at;
    job_->waiting_ = this;
}

void leaf::unsuspend() noexcept {
    job_->waiting_ = nullptr;
}

void leaf::resume() noexcept {
    job_->waiting_ = nullptr;
    this_loop.loop->push(*job_);
}

void leaf::throw_cancelled() {
    throw cancelled_error("the coroutine was cancelled while it waited");
}

// --- job ---------------------------------------------------------------------------------------

void job::start(std::coroutine_handle<> root, job* parent) noexcept {
    this_loop.loop->add(*this, root, parent);
}

void job::cancel() noexcept {
    if (cancelled_) return;
    cancelled_ = true;
    if (waiting_) waiting_->cancel();
}

void job::end() noexcept {
    this_loop.loop->remove(*this);
    done(); // it MAY DIE
}

// --- event_loop --------------------------------------------------------------------------------

event_loop::event_loop() : box_(std::make_shared<mailbox>()) {
    if (this_loop.loop) {
        throw invalid_state_error("aio::run: an event loop runs in this thread already; await the "
                                  "task, or spawn it");
    }
    this_loop = {this, nullptr, 0};
}

event_loop::~event_loop() {
    read_mail(box_->close());
    assert(!all_ && timers_.empty() && "all jobs end before their loop");
    this_loop = {};
}

void event_loop::add(job& j, std::coroutine_handle<> root, job* parent) noexcept {
    j.root_ = j.at_ = root;
    j.parent_ = parent;
    j.next_ = all_;
    if (all_) all_->previous_ = &j;
    all_ = &j;
    push(j);
}

void event_loop::remove(job& j) noexcept {
    (j.previous_ ? j.previous_->next_ : all_) = j.next_;
    if (j.next_) j.next_->previous_ = j.previous_;
}

void event_loop::push(job& j) noexcept {
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
    while (all_) {
        for (job* j = all_; j; j = j->next_) j->cancel(); // cancelling ends no job at once
        (void)box_->take_interrupt();                     // there is nothing left to cancel
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
    if (ready_ || !all_) return;
    box_->wait(timers_.empty() ? deadline::never() : deadline{timers_.next_ns()});
}

/// Runs what is ready now; what becomes ready meanwhile has its turn after mail and timers.
void event_loop::run_ready() noexcept {
    job* next = std::exchange(ready_, nullptr);
    ready_last_ = nullptr;
    while (job* j = next) {
        next = j->next_ready_;
        run_one(*j);
    }
}

void event_loop::run_one(job& j) noexcept {
    this_loop.current = &j;
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
    this_loop.current = nullptr;
}

void event_loop::read_mail(mail* first) noexcept {
    while (mail* m = first) {
        first = m->next;
        m->run(*m); // it MAY DIE
    }
}

} // namespace heddle::detail
