/// `as_completed`: results as they come.
#pragma once

#include <heddle/aio/awaitable.hpp>
#include <heddle/detail/nursery.hpp>
#include <heddle/outcome.hpp>

#include <coroutine>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace heddle::detail {

class completion_stream;

/// A job whose end goes into a stream, while there is one.
class streamed_base : public job {
public:
    ~streamed_base() override = default;
    bool ended() const noexcept { return ended_; }
    /// The stream goes: the job is cancelled and left to the loop.
    void leave() noexcept;

protected:
    using job::job;

private:
    friend class completion_stream;
    void done() noexcept override;

    completion_stream* to_ = nullptr;
    streamed_base* next_done_ = nullptr;
    bool ended_ = false;
};

template <class T>
using streamed = owning<streamed_base, T>;

/// Ended jobs in order, and the wait for the next.
class completion_stream final : public leaf {
public:
    void start(streamed_base& j) noexcept;
    /// What `wait` gives; not the stream itself, which g++ 12 would copy.
    struct waiting {
        bool await_ready() const { return of.ready(); }
        void await_suspend(std::coroutine_handle<> at) const noexcept { of.stop(at); }
        streamed_base* await_resume() const { return of.next(); }
        completion_stream& of;
    };
    /// Awaits the next that has ended; null if all have been given. Throws cancelled_error.
    waiting wait() noexcept { return {*this}; }

private:
    friend class streamed_base;
    bool ready() { return refused("as_completed") || first_ || left_ == 0; }
    void stop(std::coroutine_handle<> at) noexcept {
        waiting_ = true;
        suspend(at);
    }
    streamed_base* next();
    void cancel() noexcept override;
    const char* what() const noexcept override { return "the next of as_completed"; }
    void add(streamed_base& j) noexcept;

    streamed_base* first_ = nullptr;
    streamed_base* last_ = nullptr;
    std::size_t left_ = 0; ///< not given yet
    bool waiting_ = false;
};

} // namespace heddle::detail

namespace heddle::aio {

/// Tasks that run, given one by one as they end. Made by `as_completed`.
///
/// Thread safety: none; used on the loop's thread, by one coroutine at a time. Lifetime: when it
/// goes, what still runs is cancelled and left to the loop.
template <class T>
class completions {
public:
    /// Starts the tasks.
    explicit completions(std::vector<task<T>> tasks)
        : stream_(std::make_unique<detail::completion_stream>()) {
        (void)detail::this_job("as_completed");
        jobs_.reserve(tasks.size());
        for (task<T>& each : tasks) {
            jobs_.push_back(std::make_unique<detail::streamed<T>>(std::move(each)));
        }
        for (auto& each : jobs_) stream_->start(*each);
    }
    completions(completions&&) noexcept = default;
    completions& operator=(completions&&) = delete;
    ~completions() {
        for (auto& each : jobs_) {
            if (!each->ended()) each.release()->leave();
        }
    }

    /// Awaits the next task to end and gives its outcome; nothing once all have been given.
    ///
    /// Throws `cancelled_error` when the awaiting coroutine is cancelled; the tasks run on.
    task<std::optional<outcome<T>>> next() {
        auto* const ended = static_cast<detail::streamed<T>*>(co_await stream_->wait());
        std::optional<outcome<T>> next;
        if (ended) next.emplace(ended->take_outcome());
        co_return next;
    }

private:
    std::unique_ptr<detail::completion_stream> stream_;
    std::vector<std::unique_ptr<detail::streamed<T>>> jobs_;
};

/// Starts tasks (or other things to await) and returns a stream of their outcomes, in the order in
/// which they end.
///
/// Throws `invalid_state_error` outside a loop or if a task is empty; nothing was started then.
///
/// Example:
///     auto pages = heddle::aio::as_completed(std::move(fetches));
///     while (auto page = co_await pages.next()) show(page->value());
template <awaitable A>
[[nodiscard]] completions<detail::awaited_t<A>> as_completed(std::vector<A> work) {
    return completions<detail::awaited_t<A>>(detail::as_tasks(std::move(work)));
}
/// The same; empties the vector, since a task runs once.
template <class T>
[[nodiscard]] completions<T> as_completed(std::vector<task<T>>& work) {
    return completions<T>(std::exchange(work, {}));
}

} // namespace heddle::aio
