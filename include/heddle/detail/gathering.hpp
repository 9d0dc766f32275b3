/// What `gather` and `gather_outcomes` of a vector are made of.
#pragma once

#include <heddle/aio/task.hpp>
#include <heddle/detail/nursery.hpp>
#include <heddle/outcome.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace heddle::detail {

/// A nursery with a place for what each child gives: `Result` is the value, or an outcome.
///
/// Thread safety: one loop. Lifetime: as a nursery.
template <class Result>
class gathering final : public nursery {
public:
    gathering(on_failure policy, std::size_t count) : nursery(policy), places_(count) {}

    template <class Make>
    void put(std::uint32_t place, Make make) {
        places_[place].emplace(make());
    }
    /// What all children gave. Once, after they have ended and none has failed.
    std::vector<Result> take() {
        std::vector<Result> all;
        all.reserve(places_.size());
        for (auto& each : places_) all.push_back(*std::move(each));
        return all;
    }

private:
    std::vector<std::optional<Result>> places_;
};
template <>
class gathering<void> final : public nursery {
public:
    gathering(on_failure policy, std::size_t) : nursery(policy) {}
};

/// A child that puts what it gives into its place and goes, while it is in the cache.
template <class Result, class T>
class gathered final : public owning<child_base, T> {
public:
    using owning<child_base, T>::owning;

private:
    void let_go() noexcept override {
        if constexpr (!std::is_void_v<Result>) {
            try {
                deliver(static_cast<gathering<Result>&>(this->in()));
            } catch (...) {
                this->in().fail(std::current_exception()); // moving the value failed
            }
        }
        delete this;
    }
    void deliver(gathering<Result>& to) {
        if constexpr (!std::is_same_v<Result, T>) {
            to.put(this->place(), [this] { return this->take_outcome(); });
        } else if (!this->failed()) {
            to.put(this->place(), [this]() -> T { return this->take(); });
        }
    }
};

/// How many tasks ahead of the one that is started the frames are fetched into the cache: those of
/// a large gather have left it since they were made.
inline constexpr std::size_t ahead = 8;

/// Starts the tasks from number `i` up to `end`; false if that failed. A plain function: its loop
/// is in registers and not in the frame of a coroutine.
template <class Result, class T>
bool start_some(gathering<Result>& all,
                std::vector<aio::task<T>>& tasks,
                std::size_t i,
                std::size_t end) noexcept {
    try {
        for (const std::size_t count = tasks.size(); i < end; ++i) {
            if (i + ahead < count) __builtin_prefetch(tasks[i + ahead].frame().address(), 1);
            const auto place = static_cast<std::uint32_t>(i);
            all.start(*new gathered<Result, T>(std::move(tasks[i]), place));
        }
        return true;
    } catch (...) {
        all.fail(std::current_exception()); // who has been started has to end first
        return false;
    }
}

/// Runs all tasks under `all`, at most `limit` at the same time, and awaits them.
template <class Result, class T>
aio::task<> run_all(gathering<Result>& all, std::vector<aio::task<T>>& tasks, std::size_t limit) {
    for (const aio::task<T>& each : tasks) {
        if (!each.valid()) throw_task_used(); // before anything has run
    }
    const std::size_t step = limit == 0 ? tasks.size() : 1;
    for (std::size_t i = 0; i < tasks.size(); i += step) {
        if (!start_some(all, tasks, i, i + step)) break;
        if (limit != 0) co_await all.wait(limit - 1);
    }
    co_await all.wait();
}

template <class Result, class T>
aio::task<std::vector<Result>>
gather_all(std::vector<aio::task<T>> tasks, std::size_t limit, on_failure policy) {
    gathering<Result> all(policy, tasks.size());
    co_await run_all(all, tasks, limit);
    co_return all.take();
}
inline aio::task<> gather_all(std::vector<aio::task<>> tasks, std::size_t limit) {
    gathering<void> all(on_failure::cancel_the_others, tasks.size());
    co_await run_all(all, tasks, limit);
}

template <class T>
auto gather_values(std::vector<aio::task<T>> tasks, std::size_t limit) {
    if constexpr (std::is_void_v<T>) return gather_all(std::move(tasks), limit);
    else return gather_all<T>(std::move(tasks), limit, on_failure::cancel_the_others);
}
template <class T>
auto gather_outcomes(std::vector<aio::task<T>> tasks, std::size_t limit) {
    return gather_all<outcome<T>>(std::move(tasks), limit, on_failure::go_on);
}

} // namespace heddle::detail
