#include <heddle/detail/nursery.hpp>
#include <heddle/failure.hpp>

#include <cassert>

namespace heddle::detail {

std::exception_ptr task_job::failure() const noexcept {
    if (!skipped()) return promise_->failure();
    return std::make_exception_ptr(
        cancelled_error("the coroutine was cancelled before anything of it ran"));
}

bool task_job::cut() const noexcept {
    if (!cancelled()) return false;
    return skipped() || is_cancellation(promise_->failure());
}

void child_base::done() noexcept {
    in_->ended(*this);
}

nursery::nursery(on_failure policy) : policy_(policy) {
    (void)refused("a nursery");
}

nursery::~nursery() {
    assert(running_ == 0 && "a nursery ends after its children");
}

void nursery::start(child_base& c, std::coroutine_handle<> root) noexcept {
    c.in_ = this;
    c.next_ = first_;
    if (first_) first_->previous_ = &c;
    first_ = &c;
    ++running_;
    static_cast<job&>(c).start(root, job_);
    if (job_->cancelled()) cancelling_ = true;
    if (cancelling_) c.job::cancel();
}

void nursery::cancel_all() noexcept {
    cancelling_ = true;
    for (child_base* c = first_; c; c = c->next_) c->job::cancel(); // ends none at once
}

void nursery::cancel() noexcept {
    cancel_all();
}

bool nursery::ready() noexcept {
    if (job_->cancelled()) cancel_all();
    return enough();
}

void nursery::settle() {
    waiting_ = false;
    if (running_ != 0) return;
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    if (cut_ && job_->cancelled()) throw_cancelled();
}

void nursery::ended(child_base& c) noexcept {
    (c.previous_ ? c.previous_->next_ : first_) = c.next_;
    if (c.next_) c.next_->previous_ = c.previous_;
    --running_;
    if (c.cut()) {
        cut_ = true;
    } else if (policy_ == on_failure::cancel_the_others && c.failure()) {
        if (!failure_) {
            failure_ = c.failure();
            cancel_all();
        } else {
            report_lost(c.failure(), "a child of a group that had failed already");
        }
    }
    c.let_go(); // it MAY DIE
    if (waiting_ && enough()) {
        waiting_ = false;
        resume();
    }
}

} // namespace heddle::detail
