/// Asio inside tasks: `co_await socket.async_read_some(buffer, aio::use_task)`.
///
/// The one public header that includes Asio: the standalone one (Debian: libasio-dev, 1.19 or
/// newer), not Boost's. `heddle.hpp` leaves it out.
#pragma once

#include <heddle/detail/wait_asio.hpp>

#include <asio/async_result.hpp>
#include <asio/io_context.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

namespace heddle::aio {

/// The type of `use_task`.
struct use_task_t {};

/// Makes any operation of Asio one that a task can await; give it where Asio wants a handler.
///
/// Nothing happens until it is awaited. It gives what the handler would be given: nothing, a
/// value, or a tuple. An `error_code` that says so is thrown as `std::system_error`, an
/// `exception_ptr` as what it holds. When the awaiting coroutine is cancelled, the operation is
/// cancelled through its own cancellation slot (`cancellation_type::terminal`), and once it has
/// ended `cancelled_error` is thrown, unless it was done in spite of that; an operation that cannot
/// be cancelled is waited for. As all things to await, it can be given to `timeout`, `gather`, ….
/// What it refers to (buffers, sockets) must live until it has ended.
///
/// The coroutine goes on on its own loop, whichever thread completes the operation. Throws
/// `invalid_state_error` outside a loop. Cost: as a callback; no allocation of Heddle's.
///
/// Example:
///     asio::steady_timer timer(heddle::aio::io_context(), 100ms);
///     co_await timer.async_wait(heddle::aio::use_task);
inline constexpr use_task_t use_task{};

/// Returns the running loop's `io_context`, which the loop runs: for sockets, signals, child
/// processes, and whatever else Asio's objects want to be made with.
///
/// From the first call on the loop sleeps in it, and its own timers are then as exact as `epoll`'s:
/// 1 ms. Objects made with it must be gone when `run` returns: keep them in coroutines. What other
/// handlers that run in it throw goes to the failure handler. Throws `invalid_state_error` outside
/// a loop, and `std::system_error` if there are no descriptors left. Thread safety: call it on the
/// loop's thread; `asio::post` to it works from any.
///
/// Example:
///     asio::ip::tcp::socket socket(heddle::aio::io_context());
inline asio::io_context& io_context() {
    return detail::asio_reactor::of_this_loop().context();
}

} // namespace heddle::aio

/// How Asio turns `use_task` into what its functions return; see there.
template <class... Args>
class asio::async_result<heddle::aio::use_task_t, void(Args...)> {
public:
    /// Keeps the operation and its arguments until somebody awaits it.
    template <class Initiation, class... InitArgs>
    static auto initiate(Initiation&& initiation, heddle::aio::use_task_t, InitArgs&&... args) {
        return heddle::detail::
            asio_operation<void(Args...), std::decay_t<Initiation>, std::decay_t<InitArgs>...>(
                std::forward<Initiation>(initiation), std::forward<InitArgs>(args)...);
    }
};
