/// How things are called in messages.
#pragma once

#include <heddle/time.hpp>

#include <cstdint>
#include <string>

namespace heddle::detail {

/// "250 µs", "20 ms": a time limit.
inline std::string in_words(duration limit) {
    const std::int64_t us = limit.count() / 1000;
    return us < 10'000 ? std::to_string(us) + " µs" : std::to_string(us / 1000) + " ms";
}

} // namespace heddle::detail
