#include <heddle/detail/waiting_line.hpp>
#include <heddle/error.hpp>

#include <string>
#include <utility>

namespace heddle::detail {

void line_wait::stand_in(waiting_line& line, std::coroutine_handle<> at) noexcept {
    line_ = &line;
    line.waiting_.add(*this);
    suspend(at);
}

void line_wait::cancel() noexcept {
    std::exchange(line_, nullptr)->waiting_.remove(*this);
    resume_cancelled();
}

void line_wait::step_out() noexcept {
    if (line_) std::exchange(line_, nullptr)->let_go_.remove(*this);
}

void line_wait::throw_left_alone() const {
    throw cancelled_error(std::string("what the coroutine waited for (") + what_ +
                          ") was destroyed meanwhile; let it outlive the tasks that use it");
}

waiting_line::~waiting_line() {
    for (line_wait* w = let_go_.first; w; w = w->next) w->leave_alone();
    for (line_wait* w = waiting_.first; w; w = w->next) w->leave_alone();
}

line_wait* waiting_line::let_go(bool served) noexcept {
    line_wait* const w = waiting_.first;
    if (!w) return nullptr;
    waiting_.remove(*w);
    if (served) let_go_.add(*w);
    w->go(served);
    return w;
}

std::size_t waiting_line::length() const noexcept {
    std::size_t count = 0;
    for (const line_wait* w = waiting_.first; w; w = w->next) ++count;
    return count;
}

void waiting_line::row::add(line_wait& w) noexcept {
    w.next = nullptr;
    w.previous = last;
    (last ? last->next : first) = &w;
    last = &w;
}

void waiting_line::row::remove(line_wait& w) noexcept {
    (w.previous ? w.previous->next : first) = w.next;
    (w.next ? w.next->previous : last) = w.previous;
}

void tickets::add(std::size_t n) noexcept {
    for (; n != 0 && line_.serve_one(); --n) {
    }
    count_ += n;
}

} // namespace heddle::detail
