/// The untyped side of an mp::process.
#pragma once

#include <heddle/detail/wire.hpp>
#include <heddle/time.hpp>

#include <mutex>
#include <optional>
#include <string>

namespace heddle::detail {

/// A child process that runs one call and ends.
///
/// Thread safety: all members may be called from any thread. Lifetime: whoever destroys it has
/// joined it; otherwise the child is ended.
class child_handle {
public:
    /// Starts it. @throws std::system_error, broken_process_pool_error  as process_pool.
    child_handle(const std::string& name, message call);
    child_handle(const child_handle&) = delete;
    child_handle& operator=(const child_handle&) = delete;

    int pid() const noexcept { return pid_; }
    /// False if the deadline passed first.
    bool join(deadline limit);
    void send(int signal) noexcept;
    bool is_alive();
    std::optional<int> exit_code();

private:
    bool collect();

    int pid_ = -1;
    descriptor pidfd_;
    descriptor control_; ///< its end ends the child, so it stays open
    std::mutex mutex_;
    bool ended_ = false; ///< and collected
    std::optional<int> code_;
};

} // namespace heddle::detail
