#include "../core/words.hpp"

#include <heddle/aio/timeout.hpp>

#include <utility>

namespace heddle::detail {

time_limit::time_limit(nursery& of, duration limit) : of_(of), grace_(limit <= duration::zero()) {
    arm(grace_ ? deadline{now_ns()} : deadline::after(limit));
}

time_limit::~time_limit() {
    disarm();
}

void time_limit::expired() noexcept {
    if (std::exchange(grace_, false)) {
        // Later than what fires now: the loop runs what is ready first, the new children too. There
        // is room, since this timer has just left the heap.
        arm(deadline{now_ns() + 1});
        return;
    }
    passed_ = true;
    of_.cancel_all();
}

void throw_timeout(duration limit) {
    throw timeout_error("the coroutine was not done within its time limit of " + in_words(limit) +
                        ", and has been cancelled");
}

} // namespace heddle::detail
