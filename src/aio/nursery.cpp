#include <heddle/detail/nursery.hpp>
#include <heddle/failure.hpp>

#include <cassert>
#include <utility>

namespace heddle::detail {

void child_base::done() noexcept {
    in_->ended(*this);
}

nursery::nursery(on_failure policy) : policy_(policy) {
    (void)refused("a nursery");
}

nursery::~nursery() {
    assert(running_ == 0 && "a nursery ends after its children");
}

void nursery::start(child_base& c) noexcept {
    c.in_ = this;
    ++running_;
    static_cast<job&>(c).start(children_);
    if (job_->cancelled()) cancelling_ = true;
    if (cancelling_) c.cancel();
}

void nursery::cancel_all() noexcept {
    cancelling_ = true;
    children_.for_each([](job& c) { c.cancel(); });
}

void nursery::fail(std::exception_ptr why, std::coroutine_handle<> of) noexcept {
    if (failure_) {
        report_lost(why, "a child of a group that had failed already", of);
        return;
    }
    failure_ = std::move(why);
    cancel_all();
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

/// A child has ended with an exception, or without having begun.
[[gnu::noinline]] void nursery::failed(const child_base& c) noexcept {
    if (c.cut()) cut_ = true;
    else if (policy_ == on_failure::cancel_the_others) fail(c.failure(), c.root_handle());
}

void nursery::ended(child_base& c) noexcept {
    --running_;
    if (c.failed()) [[unlikely]]
        failed(c);
    c.let_go(); // it MAY DIE
    if (waiting_ && enough()) {
        waiting_ = false;
        resume();
    }
}

} // namespace heddle::detail
