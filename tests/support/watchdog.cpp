#include "support/watchdog.hpp"

#include "support/stacks.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
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

/// Tells the watching thread which test runs.
///
/// Thread safety: `watch` runs in its own thread beside the listener's calls.
/// Lifetime: never destroyed, since its thread never ends.
class watchdog final : public testing::EmptyTestEventListener {
public:
    [[noreturn]] void watch() {
        std::unique_lock lock(mutex_);
        while (true) {
            if (!running_) {
                changed_.wait(lock);
                continue;
            }
            const int seen = starts_;
            const auto other_test = [&] { return !running_ || starts_ != seen; };
            if (changed_.wait_until(lock, due_, other_test)) continue;
            std::fprintf(stderr,
                         "\nwatchdog: %s is stuck: it has run for %lld s (set HEDDLE_TEST_TIMEOUT "
                         "to wait longer). All threads:\n",
                         running_->c_str(),
                         static_cast<long long>(limit_.count()));
            dump_all_stacks();
            kill_children();
            std::abort();
        }
    }

private:
    void OnTestStart(const testing::TestInfo& test) override {
        std::string name = std::string(test.test_suite_name()) + "." + test.name();
        std::lock_guard lock(mutex_);
        running_ = std::move(name);
        ++starts_;
        due_ = std::chrono::steady_clock::now() + limit_;
        changed_.notify_all();
    }
    void OnTestEnd(const testing::TestInfo&) override {
        std::lock_guard lock(mutex_);
        running_.reset();
        changed_.notify_all();
    }

    const std::chrono::seconds limit_ = limit();
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<std::string> running_; // the three below are guarded by mutex_
    int starts_ = 0;
    std::chrono::steady_clock::time_point due_;
};

} // namespace

void start_watchdog() {
    install_stack_signal();
    auto* dog = new watchdog; // owned by GoogleTest until exit, used by the thread until the end
    testing::UnitTest::GetInstance()->listeners().Append(dog);
    std::thread([dog] { dog->watch(); }).detach();
}

} // namespace heddle::test
