/// `thread_pool`: submit callables, get futures.
#pragma once

#include <heddle/executor.hpp>
#include <heddle/functional.hpp>
#include <heddle/map.hpp>
#include <heddle/print.hpp>
#include <heddle/progress.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace heddle {

/// Returns how many threads of this process can run at the same time: the processors of its
/// affinity mask, limited by the cgroup's processor quota; at least 1. Reads the system anew on
/// each call (a few µs). Thread safety: callable from any thread.
int available_parallelism();

/// What a bounded pool does with a task that finds no room: wait for room, throw
/// `queue_full_error`, or run the task in the thread that submits it.
enum class on_full { block, reject, run_here };

/// How a `thread_pool` is built.
struct thread_pool_options {
    std::optional<int> max_workers = {}; ///< 1 to 10,000; default `available_parallelism()`
    std::string name = "heddle";         ///< threads are called NAME-0, NAME-1, … (15 characters)
    std::function<void()> initializer =
        {};                      ///< runs first in each worker; if it throws, the pool is broken
    std::size_t max_pending = 0; ///< most tasks queued and not started; 0: no bound
    on_full when_full = on_full::block;
};

class thread_pool;

namespace detail {

class pool;
/// The engine behind a pool, for the parts of Heddle that need more than its public members.
pool& engine_of(thread_pool& of) noexcept;

/// Hands a task over to the pool, or throws and frees it.
void enqueue(pool& to, task& t);
/// Queues eight bytes to be handed to `invoke`; false if this pool takes whole tasks only.
bool enqueue_small(pool& to,
                   void (*invoke)(void*, const void*),
                   void* payload,
                   const void* address);
/// Reports the current exception as the failure of a posted call.
void report_post_failure(const void* address) noexcept;

/// A callable that fits into a queue slot as it is: no task object, no allocation.
template <class F>
concept slot_sized = sizeof(F) <= sizeof(void*) && std::is_trivially_copyable_v<F> &&
                     std::is_trivially_destructible_v<F> && std::invocable<F>;

template <class F>
__attribute__((no_sanitize("null"))) // as closure_task::run
void invoke_slot(void* payload, const void* address) {
    try {
        alignas(F) std::byte bytes[sizeof(F)];
        __builtin_memcpy(bytes, &payload, sizeof(F));
        std::invoke(std::move(*reinterpret_cast<F*>(bytes)));
    }
#ifdef __GLIBCXX__
    catch (abi::__forced_unwind&) { // pthread_exit; must go on
        throw;
    }
#endif
    catch (...) {
        report_post_failure(address);
    }
}

} // namespace detail

/// A fixed number of worker threads that run submitted callables; what Python's
/// `ThreadPoolExecutor` is.
///
/// Tasks from outside start first-in first-out (within a priority). Waiting inside a task for
/// another task of the same pool is always safe: a task that has not started is run by the waiter
/// itself, and for a wait for any other future a spare worker takes over, so that `max_workers`
/// threads run what can run. (Not so for events and queues, where thousands of tasks may wait.)
/// Nothing is lost: every task ends as value, exception, cancelled, or broken.
///
/// Example:
///     heddle::thread_pool pool({.max_workers = 4});
///     auto size = pool.submit(page_size, "https://example.org");
///     std::cout << size.result() << '\n';
///
/// Thread safety: all members may be called from any thread, also from its own tasks. In a child
/// of `fork()` the pool has no threads: submitting to it, and waiting for a task of it, throws
/// `forked_error` at once, `shutdown` and the destructor do nothing. Lifetime: the destructor runs
/// what is queued, then joins; on one of its own threads it does not wait, and the threads end by
/// themselves. The code of its tasks must stay loaded: shut the pool down before `dlclose`.
class thread_pool {
public:
    /// Starts `available_parallelism()` workers. Throws as the constructor below.
    thread_pool();
    /// Starts `max_workers` workers. Throws as the constructor below.
    explicit thread_pool(int max_workers);
    /// Starts the workers. About 20 µs a worker; they sleep until there is work.
    /// @throws std::invalid_argument  `max_workers` is not in 1 … 10,000.
    /// @throws std::system_error  not even one thread could be started. With at least one, the
    /// pool goes on with those it got, says so on stderr, and `worker_count()` tells.
    explicit thread_pool(thread_pool_options options);
    ~thread_pool();
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;

    /// Runs `f(args...)` on a worker and returns the future of its result.
    ///
    /// `f` and `args` are copied or moved in now; pass `std::ref` to share. If `f` declares a
    /// `std::stop_token` as first parameter it is handed one. Does not block, unless the pool is
    /// bounded, full, and `on_full::block`.
    /// @throws shutdown_error  after `shutdown()`; tasks of this pool may still submit until all
    /// has ended.
    /// @throws broken_thread_pool_error, forked_error, queue_full_error
    /// @throws std::invalid_argument  `f` is empty.
    /// @throws std::bad_alloc, and what copying `f` and `args` throws.
    /// In all these cases nothing was queued and the pool goes on.
    ///
    /// Cost: one 64-byte cell for small callables, one lock, about 50 ns; from inside a task no
    /// lock, about 10 ns.
    template <class F, class... Args>
        requires detail::submittable<F, Args...>
    [[nodiscard, gnu::noinline]] auto submit(F&& f, Args&&... args) {
        return submit_at(
            __builtin_return_address(0), "submit", std::forward<F>(f), std::forward<Args>(args)...);
    }
    /// The same, with a name, a priority and a place. Errors as above.
    template <class F, class... Args>
        requires detail::submittable<F, Args...>
    [[nodiscard]] auto submit(task_options options, F&& f, Args&&... args) {
        auto info = std::make_unique<detail::task_info>(
            detail::task_info{std::move(options.name), options.priority, options.where});
        auto* t = detail::make_task("submit", 1, std::forward<F>(f), std::forward<Args>(args)...);
        t->set_info(info.release());
        detail::enqueue(*pool_, *t);
        return future<detail::call_result_t<F, Args...>>(t);
    }
    /// `submit` for a callable without captures only: all state goes through `args`, where it is
    /// frozen now. The cure for the classic bug of capturing a loop variable by reference.
    template <class F, class... Args>
        requires detail::submittable<F, Args...>
    [[nodiscard, gnu::noinline]] auto submit_strict(F&& f, Args&&... args) {
        using fn = std::decay_t<F>;
        static_assert(std::is_pointer_v<fn> || std::is_member_pointer_v<fn> || std::is_empty_v<fn>,
                      "submit_strict: the callable has captures or members; pass its state as "
                      "arguments instead, where it is copied when the task is submitted");
        return submit_at(__builtin_return_address(0),
                         "submit_strict",
                         std::forward<F>(f),
                         std::forward<Args>(args)...);
    }
    /// Runs `f(args...)` on a worker, without a future. What it throws goes to the failure
    /// handler at once. Errors as `submit`. Cost: about 15 ns, without memory of its own, if `f`
    /// is at most 8 trivially copyable bytes and there are no arguments.
    template <class F, class... Args>
        requires detail::submittable<F, Args...>
    [[gnu::noinline]] void post(F&& f, Args&&... args) {
        using fn = std::decay_t<F>;
        const void* const address = __builtin_return_address(0);
        detail::require_callable<fn>(f, "post");
        if constexpr (sizeof...(Args) == 0 && detail::slot_sized<fn>) {
            void* payload = nullptr;
            const fn copy(std::forward<F>(f));
            __builtin_memcpy(&payload, &copy, sizeof copy);
            if (detail::enqueue_small(*pool_, &detail::invoke_slot<fn>, payload, address)) return;
            detail::task* t = detail::make_task("post", 0, copy);
            t->set_address(address);
            detail::enqueue(*pool_, *t);
        } else {
            detail::task* t =
                detail::make_task("post", 0, std::forward<F>(f), std::forward<Args>(args)...);
            t->set_address(address);
            detail::enqueue(*pool_, *t);
        }
    }

    /// Calls `f(a, b, …)` for the elements of `ranges`, taken in step (the shortest ends it), and
    /// returns the results in input order, as a lazy input range. See `map_results` and
    /// `map_options`; with default options all calls are queued now. As in `submit`, `f` is handed
    /// a `std::stop_token` if it declares one first: dropping the results asks for the stop.
    template <class F, class... Ranges>
        requires detail::mappable<F, Ranges...>
    [[nodiscard, gnu::noinline]] auto map(F&& f, Ranges&&... ranges) {
        return detail::make_map(*this,
                                {map_options{}, detail::order::input, __builtin_return_address(0)},
                                std::forward<F>(f),
                                std::forward<Ranges>(ranges)...);
    }
    template <class F, class... Ranges>
        requires detail::mappable<F, Ranges...>
    [[nodiscard, gnu::noinline]] auto map(map_options options, F&& f, Ranges&&... ranges) {
        return detail::make_map(
            *this,
            {std::move(options), detail::order::input, __builtin_return_address(0)},
            std::forward<F>(f),
            std::forward<Ranges>(ranges)...);
    }
    /// The same, with the results in the order in which they finish.
    template <class F, class... Ranges>
        requires detail::mappable<F, Ranges...>
    [[nodiscard, gnu::noinline]] auto map_unordered(F&& f, Ranges&&... ranges) {
        return detail::make_map(*this,
                                {map_options{}, detail::order::finish, __builtin_return_address(0)},
                                std::forward<F>(f),
                                std::forward<Ranges>(ranges)...);
    }
    template <class F, class... Ranges>
        requires detail::mappable<F, Ranges...>
    [[nodiscard, gnu::noinline]] auto
    map_unordered(map_options options, F&& f, Ranges&&... ranges) {
        return detail::make_map(
            *this,
            {std::move(options), detail::order::finish, __builtin_return_address(0)},
            std::forward<F>(f),
            std::forward<Ranges>(ranges)...);
    }
    /// `map` over one range of tuples: calls `f(a, b)` for each `(a, b)`.
    template <class F, class Range>
        requires detail::star_mappable<F, Range>
    [[nodiscard, gnu::noinline]] auto starmap(F&& f, Range&& tuples) {
        return starmap_at(
            __builtin_return_address(0), {}, std::forward<F>(f), std::forward<Range>(tuples));
    }
    template <class F, class Range>
        requires detail::star_mappable<F, Range>
    [[nodiscard, gnu::noinline]] auto starmap(map_options options, F&& f, Range&& tuples) {
        return starmap_at(__builtin_return_address(0),
                          std::move(options),
                          std::forward<F>(f),
                          std::forward<Range>(tuples));
    }

    /// Takes no more work from outside; by default waits until all that was submitted has ended.
    ///
    /// Tasks that are running may go on submitting to this pool until all has ended. Idempotent,
    /// and callable from several threads; inside one of the pool's own tasks it does not wait.
    /// With `cancel_pending` what has not started is cancelled, and waiters wake. Never throws.
    void shutdown(shutdown_options options = {});

    /// Returns the number of workers the pool was built with.
    int worker_count() const noexcept;
    /// Returns how many tasks are queued and not started; a moment's view. 0 in a forked child.
    std::size_t pending_count() const noexcept;

private:
    friend detail::pool& detail::engine_of(thread_pool&) noexcept;
    template <class F, class Range>
    auto starmap_at(const void* address, map_options options, F&& f, Range&& tuples) {
        detail::require_callable<std::decay_t<F>>(f, "starmap");
        return detail::make_map(*this,
                                {std::move(options), detail::order::input, address},
                                detail::star<std::decay_t<F>>{std::forward<F>(f)},
                                std::forward<Range>(tuples));
    }

    template <class Executor, class F, class... Views>
    friend class detail::map_engine_for;

    /// `submit`, as if called at `address`: what calls it is not inlined, and hands on where its
    /// own caller is.
    template <class F, class... Args>
    [[gnu::always_inline]] auto
    submit_at(const void* address, const char* verb, F&& f, Args&&... args) {
        auto* t = detail::make_task(verb, 1, std::forward<F>(f), std::forward<Args>(args)...);
        t->set_address(address);
        detail::enqueue(*pool_, *t);
        return future<detail::call_result_t<F, Args...>>(t);
    }

    std::shared_ptr<detail::pool> pool_;
};

/// For Heddle's own parts.
inline detail::pool& detail::engine_of(thread_pool& of) noexcept {
    return *of.pool_;
}

} // namespace heddle
