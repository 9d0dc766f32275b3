#include <heddle/aio/sleep.hpp>

namespace heddle::detail {

void sleep_awaiter::sleep(std::coroutine_handle<> at) {
    arm(deadline::after(length_));
    suspend(at);
}

} // namespace heddle::detail
