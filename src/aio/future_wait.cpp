#include "event_loop.hpp"

#include <heddle/aio/future.hpp>

namespace heddle::detail {

task& future_wait::awaited() const {
    if (!task_) throw invalid_state_error("co_await: the future is empty");
    return *task_;
}

bool future_wait::await_suspend(std::coroutine_handle<> at) noexcept {
    box_ = this_mailbox().get();
    hook::fire = &fired;
    hook::wakes_thread = true; // it only writes mail: no reason to put it off
    mail::run = &arrived;
    suspend(at);
    if (task_->add_hook(*this)) return true;
    unsuspend();
    return false;
}

// On the thread that completes the task.
void future_wait::fired(hook& self, task&) noexcept {
    auto& wait = static_cast<future_wait&>(self);
    // The loop lives: it awaits the job, which waits for this mail. The awaiter MAY DIE.
    wait.box_->post(wait);
}

void future_wait::arrived(mail& self) noexcept {
    static_cast<future_wait&>(self).resume();
}

void future_wait::cancel() noexcept {
    // If it is being fired, the mail is on its way and brings the result.
    if (task_->remove_hook(*this)) resume_cancelled();
}

} // namespace heddle::detail
