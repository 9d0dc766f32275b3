/// Catches what reaches the failure handler while a test runs.
#pragma once

#include <heddle/failure.hpp>

#include <cstddef>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace heddle::test {

/// Installs a handler that keeps every failure; puts the old one back when it goes.
///
/// Thread safety: all members may be called from any thread. Lifetime: one at a time, outliving
/// the tasks of the test.
class lost_failures {
public:
    lost_failures()
        : before_(set_failure_handler([this](const failure_info& lost) {
              std::lock_guard lock(mutex_);
              all_.push_back(lost);
          })) {}
    ~lost_failures() { set_failure_handler(std::move(before_)); }
    lost_failures(const lost_failures&) = delete;
    lost_failures& operator=(const lost_failures&) = delete;

    std::size_t count() const {
        std::lock_guard lock(mutex_);
        return all_.size();
    }
    /// A copy of the `index`-th failure.
    failure_info at(std::size_t index) const {
        std::lock_guard lock(mutex_);
        return all_.at(index);
    }
    /// "type: text" of the `index`-th failure.
    std::string text(std::size_t index) const { return detail::describe(at(index).exception); }

private:
    mutable std::mutex mutex_;
    std::vector<failure_info> all_;
    failure_handler before_;
};

} // namespace heddle::test
