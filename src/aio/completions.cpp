#include <heddle/aio/as_completed.hpp>

namespace heddle::detail {

void streamed_base::leave() noexcept {
    to_ = nullptr;
    cancel();
}

void streamed_base::done() noexcept {
    ended_ = true;
    if (to_) {
        to_->add(*this);
        return;
    }
    if (!cut() && failure())
        report_lost(failure(), "a task of a dropped as_completed", root_handle());
    delete this;
}

void completion_stream::start(streamed_base& j) noexcept {
    j.to_ = this;
    ++left_;
    j.start(loop_jobs());
}

void completion_stream::add(streamed_base& j) noexcept {
    (last_ ? last_->next_done_ : first_) = &j;
    last_ = &j;
    if (!waiting_) return;
    waiting_ = false;
    resume();
}

streamed_base* completion_stream::next() {
    throw_if_refused();
    streamed_base* const next = first_;
    if (next) {
        first_ = next->next_done_;
        if (!first_) last_ = nullptr;
        --left_;
    }
    return next;
}

void completion_stream::cancel() noexcept {
    waiting_ = false;
    resume_cancelled();
}

} // namespace heddle::detail
