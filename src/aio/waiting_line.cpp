#include <heddle/detail/waiting_line.hpp>

namespace heddle::detail {

void line_wait::stand_in(waiting_line& line, std::coroutine_handle<> at) noexcept {
    line_ = &line;
    line.add(*this);
    suspend(at);
}

void line_wait::cancel() noexcept {
    line_->remove(*this);
    resume_cancelled();
}

void waiting_line::add(line_wait& w) noexcept {
    w.previous = last_;
    (last_ ? last_->next : first_) = &w;
    last_ = &w;
}

void waiting_line::remove(line_wait& w) noexcept {
    (w.previous ? w.previous->next : first_) = w.next;
    (w.next ? w.next->previous : last_) = w.previous;
}

bool waiting_line::let_go(bool served) noexcept {
    line_wait* const w = first_;
    if (!w) return false;
    remove(*w);
    w->go(served);
    return true;
}

std::size_t waiting_line::length() const noexcept {
    std::size_t count = 0;
    for (const line_wait* w = first_; w; w = w->next) ++count;
    return count;
}

void tickets::add(std::size_t n) noexcept {
    for (; n != 0 && line_.serve_one(); --n) {
    }
    count_ += n;
}

} // namespace heddle::detail
