#include <heddle/aio/timeout.hpp>

#include <string>

namespace heddle::detail {

time_limit::time_limit(nursery& of, duration limit) : of_(of) {
    // A deadline in the past: fired when the loop has run what is ready, the new child too.
    if (limit <= duration::zero()) arm(deadline{now_ns()});
    else arm(deadline::after(limit));
}

time_limit::~time_limit() {
    disarm();
}

void time_limit::expired() noexcept {
    passed_ = true;
    of_.cancel_all();
}

void throw_timeout(duration limit) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
    throw timeout_error("the coroutine was not done within its time limit of " +
                        std::to_string(ms) + " ms, and has been cancelled");
}

} // namespace heddle::detail
