/// mp::process: one child, one call.
#include "../core/context.hpp"
#include "child.hpp"
#include "modules.hpp"

#include <heddle/detail/child_handle.hpp>
#include <heddle/detail/large_buffer.hpp>

#include <signal.h>

#include <memory>
#include <utility>

namespace heddle::detail {

child_handle::child_handle(const std::string& name, message call) {
    require_init();
    child made = start_child(false);
    frame_sink out;
    introduce(out, {.is_process = true, .initializer = {}, .name = name});
    call.seal(static_cast<std::uint16_t>(frame_kind::call), 0);
    out.add(std::make_shared<const message>(std::move(call)));
    // A child that dies before it has read all of this says so by its exit code.
    out.flush(made.data.get(), true);
    out = frame_sink();
    drop_large(); // nobody may be here to do that later
    pid_ = made.pid;
    pidfd_ = std::move(made.pidfd);
    control_ = std::move(made.control);
}

bool child_handle::join(deadline limit) {
    {
        std::lock_guard lock(mutex_);
        if (collect()) return true;
    }
    {
        const blocking_section section({}, true, limit); // a pool's worker lets another stand in
        if (!await_end(pidfd_, limit)) return false;
    }
    std::lock_guard lock(mutex_);
    return collect();
}

/// True if the child has ended; keeps how, the first time.
bool child_handle::collect() {
    if (ended_) return true;
    const std::optional<exit_status> status = reap(pidfd_);
    if (!status) return false;
    ended_ = true;
    if (status->known) code_ = status->by_signal ? -status->code : status->code;
    return true;
}

void child_handle::send(int signal) noexcept {
    send_signal(pidfd_, signal); // a pidfd never means another process, also after the end
}

bool child_handle::is_alive() {
    std::lock_guard lock(mutex_);
    return !collect();
}

std::optional<int> child_handle::exit_code() {
    std::lock_guard lock(mutex_);
    collect();
    return code_;
}

} // namespace heddle::detail
