#include <heddle/detail/atomic.hpp>
#include <heddle/detail/parking.hpp>
#include <heddle/functional.hpp>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>

namespace heddle::detail {

namespace {

[[noreturn]] void refuse(const char* option, const std::string& value, const char* range) {
    throw std::invalid_argument(std::string("retry_options: ") + option + " is " + value +
                                ", but must be " + range);
}

void check_not_negative(const char* option, duration d) {
    if (d < duration::zero()) {
        refuse(option, std::to_string(d.count()) + " ns", "zero or more");
    }
}

/// A random number in 0..1, from a generator of this thread.
double random_share() {
    thread_local std::minstd_rand generator(std::random_device{}());
    return std::uniform_real_distribution<double>(0, 1)(generator);
}

void sleep_until(deadline limit) noexcept {
    // Nobody knows this word, so only the deadline ends the sleep.
    atomic<std::uint32_t> word{0};
    while (!limit.passed()) futex_wait(word, 0, limit);
}

} // namespace

void check(const retry_options& options) {
    if (options.attempts < 1) refuse("attempts", std::to_string(options.attempts), "at least 1");
    check_not_negative("backoff", options.backoff);
    check_not_negative("max_backoff", options.max_backoff);
    if (!(options.jitter >= 0 && options.jitter <= 1)) { // also if it is not a number
        refuse("jitter", std::to_string(options.jitter), "in 0..1");
    }
}

retry_pauses::retry_pauses(const retry_options& options) noexcept
    : options_(options),
      limit_(options.deadline ? deadline::after(*options.deadline) : deadline::never()),
      next_(std::min(options.backoff, options.max_backoff)) {}

std::optional<deadline> retry_pauses::next_attempt(duration at_least) noexcept {
    if (attempt_ == options_.attempts) return std::nullopt;
    ++attempt_;
    duration pause = next_;
    if (options_.jitter > 0) {
        const double kept = 1 - options_.jitter * random_share();
        pause = duration(static_cast<duration::rep>(static_cast<double>(pause.count()) * kept));
    }
    next_ = next_ > options_.max_backoff / 2 ? options_.max_backoff : next_ * 2;
    const deadline end = deadline::after(std::max(pause, at_least));
    if (!limit_.is_never() && (limit_.passed() || end.ns >= limit_.ns)) return std::nullopt;
    return end;
}

bool retry_pauses::another_attempt() noexcept {
    const std::optional<deadline> end = next_attempt();
    if (end) sleep_until(*end);
    return end.has_value();
}

} // namespace heddle::detail
