/// Who waits for whom, among threads that run tasks and block: finds waits that can never end.
#pragma once

#include "context.hpp"

namespace heddle::detail {

/// Notes that `waiter`, which runs a task, is about to block until all (or any) of `tasks` are
/// done. Throws would_deadlock_error, having noted nothing, if that closes a cycle. `tasks` must
/// stay alive until leave_wait_graph(); it may hold nulls.
void enter_wait_graph(const context& waiter, std::span<task* const> tasks, bool all);
void leave_wait_graph(const context& waiter) noexcept;

} // namespace heddle::detail
