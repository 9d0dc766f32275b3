/// Waiting for several futures: `wait`, `as_completed`, `results`.
#pragma once

#include <heddle/detail/waiting.hpp>
#include <heddle/future.hpp>

#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <vector>

namespace heddle {

/// When `wait` returns: when all are done, as soon as one is, or as soon as one has failed (a
/// cancellation is not a failure; if none fails, when all are done).
enum class return_when { all_completed, first_completed, first_exception };

/// What `wait` waits for, and for how long.
struct wait_options {
    return_when until = return_when::all_completed;
    std::optional<duration> timeout = {};
};

/// The futures given to `wait`, each once, in the order given.
template <class T>
struct wait_result {
    std::vector<future<T>> done;
    std::vector<future<T>> not_done;
};

namespace detail {

template <class Future>
struct future_value {};
template <class T>
struct future_value<future<T>> {
    using type = T;
};

template <class R>
using range_future_t =
    typename future_value<std::remove_cvref_t<std::ranges::range_reference_t<R>>>::type;

/// A range of future<T>, from any mix of executors.
template <class R>
concept future_range = std::ranges::input_range<R> && requires { typename range_future_t<R>; };

/// The distinct futures of a range, in order. Throws invalid_state_error for an empty one.
template <class T>
struct future_set {
    template <class R>
    explicit future_set(R&& range) {
        if constexpr (std::ranges::sized_range<R>) {
            futures.reserve(static_cast<std::size_t>(std::ranges::size(range)));
        }
        for (auto&& f : range) {
            f.done(); // throws if empty
            futures.emplace_back(std::forward<decltype(f)>(f));
        }
        tasks.reserve(futures.size());
        for (const future<T>& f : futures) tasks.push_back(f.task());
        unique_tasks(tasks);
        if (tasks.size() == futures.size()) return;
        std::size_t kept = 0;
        for (std::size_t i = 0; kept < tasks.size(); ++i) {
            if (futures[i].task() == tasks[kept]) futures[kept++] = std::move(futures[i]);
        }
        futures.resize(kept);
    }
    std::vector<future<T>> futures;
    std::vector<task*> tasks;
};

/// The part of wait() that knows no types: returns when the condition holds or time is up. A task
/// may be in `tasks` more than once.
void wait_until(std::span<task* const> tasks, return_when until, deadline limit);

[[noreturn]] void throw_unfinished(std::size_t left, std::size_t total);

} // namespace detail

/// Waits until all futures are done, or as `options` says, and tells which are and which not.
///
/// Duplicates collapse; the order of both vectors is that of the range. A timeout is no error: it
/// leaves more futures in `not_done`. Does not count as looking at failures. An empty range
/// returns at once. The state of no task is changed.
/// @throws would_deadlock_error  the wait could never end (see `future`).
/// @throws invalid_state_error  one of the futures is empty.
///
/// Cost: O(n) to register, O(1) for each completion. Thread safety: callable from any thread.
///
/// Example:
///     auto [done, not_done] = heddle::wait(futures, {.until = return_when::first_exception});
template <detail::future_range R>
auto wait(R&& futures, wait_options options = {}) -> wait_result<detail::range_future_t<R>> {
    using T = detail::range_future_t<R>;
    const detail::deadline limit =
        options.timeout ? detail::deadline::after(*options.timeout) : detail::deadline::never();
    detail::future_set<T> set(std::forward<R>(futures));
    detail::wait_until(set.tasks, options.until, limit);
    wait_result<T> result;
    result.done.reserve(set.futures.size());
    for (future<T>& f : set.futures) {
        (f.done() ? result.done : result.not_done).push_back(std::move(f));
    }
    return result;
}

/// The same for `wait({a, b})`.
template <class T>
wait_result<T> wait(std::initializer_list<future<T>> futures, wait_options options = {}) {
    return wait(std::views::all(futures), options);
}

/// Waits for all futures and returns their values, in input order.
///
/// The first failure in input order is rethrown, once all are done; it counts as looked at, and
/// so do further ones. `future<void>` gives nothing; references give `std::reference_wrapper`s.
/// Values are moved out of a range given as an rvalue, and copied otherwise.
/// @throws would_deadlock_error, invalid_state_error  as `wait`.
template <detail::future_range R>
auto results(R&& futures) {
    using T = detail::range_future_t<R>;
    // The elements are ours to move only in a container given as an rvalue, not behind a view.
    constexpr bool owned = !std::is_lvalue_reference_v<R> && !std::ranges::borrowed_range<R> &&
                           !std::ranges::view<std::remove_cvref_t<R>>;
    std::vector<future<T>> all;
    for (auto&& f : futures) {
        if constexpr (owned) all.push_back(std::move(f));
        else all.push_back(std::forward<decltype(f)>(f));
    }
    std::vector<detail::task*> tasks;
    tasks.reserve(all.size());
    for (const future<T>& f : all) {
        f.done();
        tasks.push_back(f.task());
    }
    detail::wait_until(tasks, return_when::all_completed, detail::deadline::never());
    for (detail::task* t : tasks) t->look();
    if constexpr (std::is_void_v<T>) {
        for (future<T>& f : all) f.result();
    } else {
        using value = std::conditional_t<std::is_reference_v<T>,
                                         std::reference_wrapper<std::remove_reference_t<T>>,
                                         T>;
        std::vector<value> values;
        values.reserve(all.size());
        for (future<T>& f : all) {
            if constexpr (std::is_reference_v<T>) values.emplace_back(f.result());
            else values.push_back(std::move(f).result());
        }
        return values;
    }
}

/// The same for `results({a, b})`, which copies the values: the braces keep handles of their own.
template <class T>
auto results(std::initializer_list<future<T>> futures) {
    return results(std::views::all(futures));
}

/// The range that `as_completed` returns: futures in the order in which they finish.
///
/// A move-only input range; each step waits for the next completion. Cancelled futures are given
/// too. Yielded futures are not kept alive by the range.
///
/// Thread safety: one thread at a time. Lifetime: holds handles to what has not been given.
template <class T>
class completions {
    struct shared {
        shared(detail::future_set<T> given, detail::deadline until)
            : set(std::move(given)), queue(set.tasks), left(set.futures.size()), limit(until) {}
        detail::future_set<T> set;
        detail::completion_queue queue;
        std::size_t left;
        detail::deadline limit;
    };

public:
    /// The position in the range; dereferencing gives a future that is done.
    class iterator {
    public:
        using value_type = future<T>;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        iterator() = default;
        future<T>& operator*() const noexcept { return owner_->current_; }
        future<T>* operator->() const noexcept { return &owner_->current_; }
        /// Waits for the next completion. @throws timeout_error  time is up.
        iterator& operator++() {
            owner_->advance();
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const noexcept {
            return !owner_->current_.valid();
        }

    private:
        friend class completions;
        explicit iterator(completions* owner) noexcept : owner_(owner) {}
        completions* owner_ = nullptr;
    };

    completions(detail::future_set<T> set, detail::deadline limit)
        : state_(std::make_unique<shared>(std::move(set), limit)) {}

    /// Waits for the first completion. @throws timeout_error  time is up.
    iterator begin() {
        if (!started_) advance();
        return iterator(this);
    }
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    void advance() {
        started_ = true;
        current_ = future<T>();
        if (state_->left == 0) return;
        const std::size_t next = state_->queue.pop(state_->limit, false);
        if (next == detail::completion_queue::none) {
            detail::throw_unfinished(state_->left, state_->set.futures.size());
        }
        --state_->left;
        current_ = std::move(state_->set.futures[next]);
    }

    std::unique_ptr<shared> state_;
    future<T> current_;
    bool started_ = false;
};

/// Gives the futures in the order in which they finish, waiting for each in turn.
///
/// Takes any range of `future<T>`, from any mix of executors; duplicates collapse, and cancelled
/// ones are given too. Those that are done already come first. The optional time limit counts
/// from this call.
/// @throws invalid_state_error  one of the futures is empty.
/// Taking a step throws `timeout_error` when time is up (how many are unfinished is in its text)
/// and `would_deadlock_error` as `future::wait` does; the futures themselves are unaffected.
///
/// Cost: O(n) here, O(1) for each completion.
///
/// Example:
///     std::unordered_map<heddle::future<page>, std::string> urls = ...;
///     for (heddle::future<page> f : heddle::as_completed(urls | std::views::keys, 5s))
///         std::cout << urls[f] << ": " << f.result().size() << '\n';
template <detail::future_range R>
[[nodiscard]] auto as_completed(R&& futures, std::optional<duration> timeout = std::nullopt) {
    using T = detail::range_future_t<R>;
    const auto limit = timeout ? detail::deadline::after(*timeout) : detail::deadline::never();
    return completions<T>(detail::future_set<T>(std::forward<R>(futures)), limit);
}
/// The same for `as_completed({a, b})`.
template <class T>
[[nodiscard]] completions<T> as_completed(std::initializer_list<future<T>> futures,
                                          std::optional<duration> timeout = std::nullopt) {
    return as_completed(std::views::all(futures), timeout);
}

} // namespace heddle
