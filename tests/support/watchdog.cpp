#include "support/watchdog.hpp"

#include "support/stacks.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEDDLE_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HEDDLE_TEST_SANITIZED 1
#endif
#endif

namespace heddle::test {

namespace {

std::chrono::seconds limit() {
    long seconds = 60;
    if (const char* text = std::getenv("HEDDLE_TEST_TIMEOUT")) {
        seconds = std::strtol(text, nullptr, 10);
        if (seconds <= 0) {
            std::fprintf(stderr, "HEDDLE_TEST_TIMEOUT is '%s'; use whole seconds above 0\n", text);
            std::exit(2);
        }
    }
#ifdef HEDDLE_TEST_SANITIZED
    seconds *= 5;
#endif
    return std::chrono::seconds(seconds);
}

/// Waits for the running test to take too long.
///
/// Thread safety: all members may be called from any thread.
/// Lifetime: never destroyed, since its thread watches until the program has ended.
class watchdog {
public:
    [[noreturn]] void watch() {
        std::unique_lock lock(mutex_);
        while (true) {
            const int seen = changes_;
            const auto changed = [&] { return changes_ != seen; };
            if (running_.empty()) {
                changed_.wait(lock, changed);
            } else if (!changed_.wait_until(lock, due_, changed)) {
                end_program();
            }
        }
    }
    /// Names what runs from here on; nothing if `name` is empty.
    void begin(std::string name) {
        std::lock_guard lock(mutex_);
        running_ = std::move(name);
        ++changes_;
        due_ = std::chrono::steady_clock::now() + limit_;
        changed_.notify_all();
    }

private:
    [[noreturn]] void end_program() {
        std::fprintf(stderr,
                     "\nwatchdog: %s is stuck: it has run for %lld s (set HEDDLE_TEST_TIMEOUT to "
                     "wait longer). All threads:\n",
                     running_.c_str(),
                     static_cast<long long>(limit_.count()));
        dump_all_stacks();
        kill_children();
        std::abort();
    }

    const std::chrono::seconds limit_ = limit();
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string running_; // this and the two below are guarded by mutex_
    int changes_ = 0;
    std::chrono::steady_clock::time_point due_;
};

watchdog& dog() {
    static auto* one = new watchdog;
    return *one;
}

/// Tells the watchdog what runs. GoogleTest destroys it when the program exits.
class listener final : public testing::EmptyTestEventListener {
    void OnTestStart(const testing::TestInfo& test) override {
        dog().begin(std::string(test.test_suite_name()) + "." + test.name());
    }
    void OnTestEnd(const testing::TestInfo&) override { dog().begin(""); }
    void OnTestProgramEnd(const testing::UnitTest&) override {
        dog().begin("the end of the program, after all tests,");
    }
};

} // namespace

void start_watchdog() {
    install_stack_signal();
    testing::UnitTest::GetInstance()->listeners().Append(new listener);
    std::thread([] { dog().watch(); }).detach();
}

} // namespace heddle::test
