/// `process_pool`: submit calls to other processes, which no crash of theirs can break.
#pragma once

#include <heddle/detail/mp_init.hpp>
#include <heddle/detail/process_engine.hpp>
#include <heddle/detail/process_map.hpp>
#include <heddle/detail/remote_call.hpp>
#include <heddle/executor.hpp>
#include <heddle/map.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace heddle {

/// A pool of worker processes; what Python's `ProcessPoolExecutor` is, except that a worker that
/// crashes fails only the task that it was running.
///
/// Callables are functions and captureless lambdas; state goes through arguments. Arguments and
/// results are copied by cereal: the standard types as they are, your own with a `serialize`
/// member. Nothing is registered, but `main` begins with `heddle::mp::init(argc, argv);`.
/// Workers are started when there is work for them. They share nothing with this process: what a
/// task writes to a global variable stays in its worker. What they print on stderr is passed on.
///
/// A task whose worker dies fails with `broken_process_pool_error`, which names the task, the
/// signal or exit code, and the worker's last words; the worker's other tasks go to another. What
/// a task throws comes back as itself if it is exactly a standard type (a `std::system_error` with
/// its code), else as `remote_error`. `cancel()` on a future takes a task back until it is the
/// next of a worker.
///
/// Example:
///     heddle::process_pool pool({.max_workers = 4});
///     heddle::future<bool> f = pool.submit(is_prime, 112272535095293);
///     std::cout << f.result() << '\n';
///
/// Thread safety: all members may be called from any thread. Done-callbacks run on the pool's own
/// thread and must not wait for its tasks. Lifetime: the destructor runs what is queued, then ends
/// the workers. Workers die with this process.
class process_pool {
public:
    /// Builds a pool of `available_parallelism()` workers. Throws as the constructor below.
    process_pool() : process_pool(process_pool_options{}) {}
    /// Builds a pool of `max_workers` workers. Throws as the constructor below.
    explicit process_pool(int max_workers)
        : process_pool(process_pool_options{.max_workers = max_workers}) {}
    /// Builds a pool. Starts one thread, no process yet. About 50 µs.
    /// @throws std::invalid_argument  an option is out of its range.
    /// @throws broken_process_pool_error  `mp::init` was not called.
    /// @throws std::system_error  the thread could not be started.
    explicit process_pool(const process_pool_options& options)
        : engine_(detail::start_process_engine(options)) {}
    ~process_pool() { detail::close_engine(*engine_, detail::closing::run, true); }
    process_pool(const process_pool&) = delete;
    process_pool& operator=(const process_pool&) = delete;

    /// Runs `f(args...)` in a worker and returns the future of its result.
    ///
    /// Arguments are encoded now. If `f` declares a `std::stop_token` as first parameter it is
    /// handed one that follows this future's `request_stop()`. Does not block.
    /// @throws shutdown_error, broken_process_pool_error, forked_error
    /// @throws std::invalid_argument  `f` is a null pointer.
    /// @throws std::bad_alloc, and what encoding the arguments throws.
    /// In all these cases nothing was queued and the pool goes on.
    template <class F, class... Args>
        requires detail::submittable<F, Args...>
    [[nodiscard, gnu::noinline]] auto submit(F&& f, Args&&... args) {
        auto* t = make_call<1>(f, args...);
        t->set_address(__builtin_return_address(0));
        return started<F, Args...>(t, f, args...);
    }
    /// The same, with a name, a priority and a place. Errors as above.
    template <class F, class... Args>
        requires detail::submittable<F, Args...>
    [[nodiscard]] auto submit(task_options options, F&& f, Args&&... args) {
        auto info = std::make_unique<detail::task_info>(
            detail::task_info{std::move(options.name), options.priority, options.where});
        auto* t = make_call<1>(f, args...);
        t->set_info(info.release());
        return started<F, Args...>(t, f, args...);
    }
    /// `submit`, which takes callables without captures only in any case.
    template <class F, class... Args>
        requires detail::submittable<F, Args...>
    [[nodiscard, gnu::noinline]] auto submit_strict(F&& f, Args&&... args) {
        auto* t = make_call<1>(f, args...);
        t->set_address(__builtin_return_address(0));
        return started<F, Args...>(t, f, args...);
    }
    /// Runs `f(args...)` in a worker, without a future. What it throws goes to the failure handler
    /// at once. Errors as `submit`.
    template <class F, class... Args>
        requires detail::submittable<F, Args...>
    [[gnu::noinline]] void post(F&& f, Args&&... args) {
        auto* t = make_call<0>(f, args...);
        t->set_address(__builtin_return_address(0));
        enqueue(t, f, args...);
    }

    /// Calls `f(a, b, …)` for the elements of `ranges`, taken in step, and returns the results in
    /// input order, as a lazy input range; see `map_results` and `map_options`. An automatic chunk
    /// is one item here, so that a crash fails one item only. As in `submit`, `f` is handed a
    /// `std::stop_token` if it declares one first: dropping the results asks for the stop.
    template <class F, class... Ranges>
        requires detail::mappable<F, Ranges...>
    [[nodiscard, gnu::noinline]] auto map(F&& f, Ranges&&... ranges) {
        return detail::make_process_map(
            engine_,
            {map_options{}, detail::order::input, __builtin_return_address(0)},
            std::forward<F>(f),
            std::forward<Ranges>(ranges)...);
    }
    template <class F, class... Ranges>
        requires detail::mappable<F, Ranges...>
    [[nodiscard, gnu::noinline]] auto map(map_options options, F&& f, Ranges&&... ranges) {
        return detail::make_process_map(
            engine_,
            {std::move(options), detail::order::input, __builtin_return_address(0)},
            std::forward<F>(f),
            std::forward<Ranges>(ranges)...);
    }
    /// The same, with the results in the order in which they finish.
    template <class F, class... Ranges>
        requires detail::mappable<F, Ranges...>
    [[nodiscard, gnu::noinline]] auto map_unordered(F&& f, Ranges&&... ranges) {
        return detail::make_process_map(
            engine_,
            {map_options{}, detail::order::finish, __builtin_return_address(0)},
            std::forward<F>(f),
            std::forward<Ranges>(ranges)...);
    }
    template <class F, class... Ranges>
        requires detail::mappable<F, Ranges...>
    [[nodiscard, gnu::noinline]] auto
    map_unordered(map_options options, F&& f, Ranges&&... ranges) {
        return detail::make_process_map(
            engine_,
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
    /// `map` as one future: of a `std::vector` of all results, in input order, or of the first
    /// failure. All calls are queued now. Nobody need wait for it: it fills as tasks finish.
    template <class F, class... Ranges>
        requires detail::mappable<F, Ranges...>
    [[nodiscard]] auto map_async(F&& f, Ranges&&... ranges) {
        std::vector<decltype(submit(f, *std::ranges::begin(ranges)...))> parts;
        auto at = std::tuple(std::ranges::begin(ranges)...);
        const auto end = std::tuple(std::ranges::end(ranges)...);
        const auto ended = [&]<std::size_t... I>(std::index_sequence<I...>) {
            return ((std::get<I>(at) == std::get<I>(end)) || ...);
        };
        for (; !ended(std::index_sequence_for<Ranges...>());
             std::apply([](auto&... it) { (++it, ...); }, at)) {
            std::apply([&](auto&... it) { parts.push_back(submit(f, *it...)); }, at);
        }
        return detail::gather(std::move(parts));
    }

    /// Takes no more work; by default waits until all that was submitted has ended, and with it
    /// the workers. Idempotent, callable from several threads; in a done-callback it does not
    /// wait. With `cancel_pending` what has not started is cancelled. Never throws.
    void shutdown(shutdown_options options = {}) {
        using detail::closing;
        detail::close_engine(*engine_,
                             options.cancel_pending ? closing::cancel_pending : closing::run,
                             options.wait);
    }
    /// Ends the workers by SIGTERM, and by SIGKILL if they live on for a second. What was running
    /// or queued fails with `broken_process_pool_error`. Waits; the pool takes no more work.
    void terminate() { detail::close_engine(*engine_, detail::closing::terminate, true); }
    /// The same by SIGKILL at once.
    void kill() { detail::close_engine(*engine_, detail::closing::kill, true); }

    /// Returns the number of workers the pool was built for.
    int worker_count() const noexcept { return detail::workers_of(*engine_); }
    /// Returns how many tasks are queued and not started; a moment's view.
    std::size_t pending_count() const noexcept { return detail::pending_in(*engine_); }

private:
    template <std::uint32_t Handles, class F, class... Args>
    auto* make_call(const F& f, const Args&...) {
        using R = detail::remote_result_t<F, Args...>;
        detail::require_transferable<std::decay_t<F>, R, std::decay_t<Args>...>();
        detail::require_callable<std::decay_t<F>>(f, "process_pool");
        return detail::call_state<R, &detail::decode_value<R>>::make(Handles);
    }
    template <class F, class Range>
    auto starmap_at(const void* address, map_options options, F&& f, Range&& tuples) {
        detail::require_callable<std::decay_t<F>>(f, "starmap");
        return detail::make_process_map(engine_,
                                        {std::move(options), detail::order::input, address},
                                        detail::star<std::decay_t<F>>{f},
                                        std::forward<Range>(tuples));
    }
    template <class Call, class F, class... Args>
    void enqueue(Call* t, const F& f, const Args&... args) {
        detail::message call;
        try {
            call = detail::encode_call<detail::remote_result_t<F, Args...>>(f, args...);
        } catch (...) {
            t->discard();
            throw;
        }
        detail::submit_call(engine_, *t, t->record(), std::move(call));
    }
    template <class F, class... Args, class Call>
    auto started(Call* t, const F& f, const Args&... args) {
        enqueue(t, f, args...);
        return future<detail::remote_result_t<F, Args...>>(t);
    }

    std::shared_ptr<detail::process_engine> engine_;
};

template <>
inline constexpr bool detail::runs_elsewhere<process_pool> = true;

} // namespace heddle
