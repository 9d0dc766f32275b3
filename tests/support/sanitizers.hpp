/// Which sanitizer watches, for tests that it cannot stand.
#pragma once

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HEDDLE_TEST_TSAN 1
#endif
#if __has_feature(address_sanitizer)
#define HEDDLE_TEST_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define HEDDLE_TEST_TSAN 1
#endif
#if defined(__SANITIZE_ADDRESS__)
#define HEDDLE_TEST_ASAN 1
#endif

namespace heddle::test {

#ifdef HEDDLE_TEST_TSAN
inline constexpr bool under_tsan = true;
#else
inline constexpr bool under_tsan = false;
#endif
#ifdef HEDDLE_TEST_ASAN
inline constexpr bool under_asan = true;
#else
inline constexpr bool under_asan = false;
#endif
inline constexpr bool sanitized = under_tsan || under_asan;

} // namespace heddle::test
