/// Runs coroutines under a clock that jumps to the next deadline whenever the loop sleeps.
#pragma once

#include <heddle/aio.hpp>
#include <heddle/detail/test_clock.hpp>
#include <heddle/event.hpp>
#include <heddle/time.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

namespace heddle::test {

/// Time since some start, on the clock that Heddle's waits run on.
inline duration now() {
    return duration(heddle::detail::now_ns());
}

/// `aio::run(main)` in virtual time: sleeping takes none. Nothing else may wait with a deadline.
template <class T>
T run_virtually(aio::task<T> main) {
    heddle::detail::test_clock clock;
    std::optional<aio::task<T>> work(std::move(main));
    outcome<T> result = std::make_exception_ptr(0);
    /// Protocol: set by the runner when it is done; read after each move of the clock.
    std::atomic<bool> done{false};
    event never;
    std::thread runner([&] {
        try {
            if constexpr (std::is_void_v<T>) {
                aio::run(std::move(*work));
                result = {};
            } else {
                result = aio::run(std::move(*work));
            }
        } catch (...) {
            result = std::current_exception();
        }
        done = true;
        never.wait_for(std::chrono::hours(1000000)); // so that there is a last deadline to move to
    });
    do {
        clock.advance_to_next();
    } while (!done);
    never.set();
    runner.join();
    return std::move(result).value();
}

} // namespace heddle::test
