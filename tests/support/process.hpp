/// What the tests of processes run in them, and how they look at what came of it.
#pragma once

#include <heddle/error.hpp>

#include <unistd.h>

#include <exception>
#include <string>

namespace heddle::test {

inline int add(int a, int b) {
    return a + b;
}
[[noreturn]] inline void wait_for_ever() {
    for (;;) pause();
}
/// The text of a broken_process_pool_error.
inline std::string why_broken(const std::exception_ptr& failure) {
    if (!failure) return "no failure";
    try {
        std::rethrow_exception(failure);
    } catch (const broken_process_pool_error& e) {
        return e.what();
    } catch (...) {
        return "not a broken_process_pool_error";
    }
}

} // namespace heddle::test
