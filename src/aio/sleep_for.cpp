#include <heddle/aio/sleep.hpp>

namespace heddle::detail {

void sleep_awaiter::await_suspend(std::coroutine_handle<> at) {
    if (length_ > duration::zero()) {
        arm(deadline::after(length_));
        suspend(at);
    } else {
        suspend(at);
        resume();
    }
}

} // namespace heddle::detail
