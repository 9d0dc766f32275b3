/// `thread<T>`: a thread that has a name, keeps its result, and never ends the program.
#pragma once

#include <heddle/future.hpp>

#include <memory>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

namespace heddle {

/// How a `thread` is started.
struct thread_options {
    std::string name = {}; ///< shown by the system (15 characters) and in failures
};

namespace detail {

/// The running thread behind a `thread<T>`; knows no types.
class thread_handle {
public:
    /// Starts a thread that runs `t`, which it then owns. @throws std::system_error  no thread
    /// could be started; `t` is as it was.
    thread_handle(task& t, std::string name);
    /// Asks the thread to stop, and joins it; detaches it if this is that very thread.
    ~thread_handle();
    thread_handle(const thread_handle&) = delete;
    thread_handle& operator=(const thread_handle&) = delete;

    void join();
    bool join(deadline limit);
    const std::string& name() const noexcept { return name_; }

private:
    struct parts;
    std::unique_ptr<parts> parts_;
    task& task_; ///< kept alive by the future beside this handle
    std::string name_;
};

/// "thread-N" for a thread without a name.
std::string default_thread_name();

} // namespace detail

/// A thread of its own for one callable; what Python's `threading.Thread` is, with a result.
///
/// Starts at once. What the callable throws is kept: `result()` rethrows it, and if nobody looks
/// it goes to the failure handler, never to `std::terminate`. Movable. For many small pieces of
/// work use `thread_pool`.
///
/// Example:
///     heddle::thread t(download, url);           // thread<page>
///     page p = std::move(t).result();
///
/// Thread safety: const members may be called from any thread. Lifetime: the destructor requests
/// stop and joins.
template <class T>
class [[nodiscard]] thread {
public:
    using value_type = T;

    /// Starts `f(args...)` in a new thread. Arguments are copied or moved now; a callable that
    /// declares a `std::stop_token` first is handed one. About 20 µs.
    /// @throws std::system_error  no thread could be started; `f` was not called.
    /// @throws std::invalid_argument  `f` is empty.
    template <class F, class... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, thread> &&
                 !std::same_as<std::remove_cvref_t<F>, thread_options>) &&
                detail::submittable<F, Args...>
    explicit thread(F&& f, Args&&... args)
        : thread(thread_options{}, std::forward<F>(f), std::forward<Args>(args)...) {}
    /// The same, with a name.
    template <class F, class... Args>
        requires detail::submittable<F, Args...>
    explicit thread(thread_options options, F&& f, Args&&... args) {
        if (options.name.empty()) options.name = detail::default_thread_name();
        auto info = std::make_unique<detail::task_info>(
            detail::task_info{.name = options.name, .priority = 0, .where = {}});
        auto* t = detail::make_task("thread", 1, std::forward<F>(f), std::forward<Args>(args)...);
        t->set_info(info.release());
        try {
            handle_ = std::make_unique<detail::thread_handle>(*t, std::move(options.name));
        } catch (...) {
            t->discard();
            throw;
        }
        result_ = future<T>(t);
    }
    thread(thread&&) noexcept = default;
    thread& operator=(thread&& other) noexcept {
        thread taken(std::move(other));
        std::swap(handle_, taken.handle_); // what was ours is stopped and joined by `taken`
        std::swap(result_, taken.result_);
        return *this;
    }
    ~thread() = default;

    /// Waits until the thread has ended. Does not throw the thread's exception. May be called
    /// many times. @throws would_deadlock_error  a thread waits for itself, directly or through
    /// others. @throws forked_error  in a child of `fork()`, if the thread had not ended before.
    /// @throws invalid_state_error  moved from.
    void join() const { started().join(); }
    /// The same with a limit; true if the thread has ended.
    template <class Rep, class Period>
    bool join_for(std::chrono::duration<Rep, Period> limit) const {
        return started().join(detail::deadline::after(limit));
    }
    /// Waits, then returns what the callable returned, or rethrows what it threw. By reference
    /// from an lvalue; by value, moved out, from an rvalue. Errors as `future::result`.
    decltype(auto) result() const& { return result_.result(); }
    T result() && {
        future<T> last = result_; // the handle inside must outlive the thread, so it stays
        last.wait();
        started().join();
        handle_.reset();
        last = std::move(result_);
        return std::move(last).result();
    }

    /// Returns the name; "thread-N" if none was given.
    const std::string& name() const { return started().name(); }
    /// Tells whether the callable is still running.
    bool is_alive() const { return result_.valid() && !result_.done(); }
    /// Asks a callable that takes a `std::stop_token` to stop; true if this call did.
    bool request_stop() const { return result_.request_stop(); }

private:
    detail::thread_handle& started() const {
        if (!handle_) throw invalid_state_error("the thread object is empty (moved from)");
        return *handle_;
    }

    future<T> result_; // before handle_: the task must outlive the thread
    std::unique_ptr<detail::thread_handle> handle_;
};

/// `thread t(f, args...)` is a `thread` of what the call returns.
template <class F, class... Args>
    requires(!std::same_as<std::remove_cvref_t<F>, thread_options>)
thread(F&&, Args&&...) -> thread<detail::call_result_t<F, Args...>>;
/// The same with options.
template <class F, class... Args>
thread(thread_options, F&&, Args&&...) -> thread<detail::call_result_t<F, Args...>>;

} // namespace heddle
