/// Turns a test that hangs into one that fails and says where every thread was.
#pragma once

namespace heddle::test {

/// Watches each test from here on: one that runs longer than HEDDLE_TEST_TIMEOUT seconds (60, five
/// times as long under a sanitizer) has the stacks of all threads written to stderr, and the
/// program aborts.
void start_watchdog();

} // namespace heddle::test
