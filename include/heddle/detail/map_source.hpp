/// How a map gets its work done: takes inputs from its ranges and submits them in chunks.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/detail/callable.hpp>
#include <heddle/detail/map_engine.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <tuple>
#include <utility>
#include <vector>

namespace heddle::detail {

/// The type in which an element of a range reaches the callable: a reference if the range is
/// multi-pass, so that it stays valid, else a value.
template <class Range, class Reference = std::ranges::range_reference_t<Range>>
using item_t =
    std::conditional_t<std::ranges::forward_range<Range> && std::is_lvalue_reference_v<Reference>,
                       Reference,
                       std::conditional_t<std::is_reference_v<Reference>,
                                          std::ranges::range_value_t<Range>,
                                          std::remove_cv_t<Reference>>>;

/// How a map calls its callable for one element of each range: again and again, so as an lvalue.
template <class F, class... Ranges>
using item_call = call_of<std::decay_t<F>&, item_t<Ranges>...>;

template <class F, class... Ranges>
concept mappable = sizeof...(Ranges) > 0 && (std::ranges::input_range<Ranges> && ...) &&
                   (std::ranges::viewable_range<Ranges> && ...) && item_call<F, Ranges...>::valid;

/// How long the first items took, on the real clock.
///
/// Protocol: three relaxed counters; what they say together is a hint, however they interleave.
class item_times {
    using clock = std::chrono::steady_clock;

public:
    /// Notes one item, from its construction to its destruction.
    class stopwatch {
    public:
        explicit stopwatch(item_times& notes) : notes_(notes) {}
        ~stopwatch() { notes_.note((clock::now() - began_) / duration(1)); }
        stopwatch(const stopwatch&) = delete;
        stopwatch& operator=(const stopwatch&) = delete;

    private:
        item_times& notes_;
        clock::time_point began_ = clock::now();
    };

    const atomic<std::int64_t>& count() const noexcept { return count_; }
    /// About how long an item takes, in ns; 0 if not known. The mean without the longest one, which
    /// may only have been the first, or lost its processor; two slow ones are taken for the rule.
    std::int64_t typical_ns() const noexcept {
        // relaxed: a hint, as are those below.
        const std::int64_t count = count_.load(std::memory_order_relaxed);
        const std::int64_t sum = sum_.load(std::memory_order_relaxed); // as above
        if (count <= 1) return sum;
        const std::int64_t rest = sum - longest_.load(std::memory_order_relaxed); // as above
        // Seen out of order, the longest may not be in the sum yet: then the mean of all.
        return std::max<std::int64_t>(rest > 0 ? rest / (count - 1) : sum / count, 1);
    }

private:
    void note(std::int64_t ns) noexcept {
        ns = std::max<std::int64_t>(ns, 1);
        // relaxed, all four: hints, see the class. The longest comes last: without it items look
        // slower than they are, which costs less than a chunk of many slow ones.
        sum_.fetch_add(ns, std::memory_order_relaxed);
        count_.fetch_add(1, std::memory_order_relaxed);      // as above
        if (ns > longest_.load(std::memory_order_relaxed)) { // as above
            longest_.store(ns, std::memory_order_relaxed);   // as above
        }
    }

    atomic<std::int64_t> count_{0}, sum_{0}, longest_{0};
};

/// What the chunks of one map share: the callable, and the inputs, into which the arguments may
/// refer. Outlives the results while chunks still run.
template <class F, class... Views>
struct map_shared {
    template <class G>
    explicit map_shared(const void* called_at, G&& given, Views... inputs)
        : address(called_at), f(std::forward<G>(given)), views(std::move(inputs)...) {}
    const void* const address;
    F f;
    std::tuple<Views...> views;
    /// Protocol: set once, when the results are dropped; chunks look before each item. Relaxed:
    /// no data depends on it.
    atomic<bool> stopped{false};
    item_times times;
};

template <class Executor, class F, class... Views>
class map_engine_for final
    : public map_engine<future_value_t<typename item_call<F, Views...>::result::type>> {
public:
    using result = future_value_t<typename item_call<F, Views...>::result::type>;

    template <class G>
    map_engine_for(Executor& executor, map_call call, G&& f, Views... views)
        : map_engine<result>(std::move(call)), executor_(executor),
          workers_(executor.worker_count()),
          shared_(
              std::make_shared<shared>(this->address_, std::forward<G>(f), std::move(views)...)),
          at_(std::apply([](auto&... v) { return std::tuple(std::ranges::begin(v)...); },
                         shared_->views)) {
        if constexpr ((std::ranges::sized_range<Views> && ...)) {
            this->total_ = std::apply(
                [](auto&... v) {
                    return std::min({static_cast<std::size_t>(std::ranges::size(v))...});
                },
                shared_->views);
            if (this->options_.chunk_size != 0) {
                this->expect_chunks(this->total_ / this->options_.chunk_size);
            }
        }
    }
    ~map_engine_for() override {
        shared_->stopped.store(true, std::memory_order_relaxed); // see map_shared
        this->cancel_all();
    }

private:
    using shared = map_shared<F, Views...>;
    using arguments = std::tuple<item_t<Views>...>;

    bool take_chunk() override {
        const std::size_t room = this->window();
        const std::size_t wanted = chunk_size();
        // A chunk is taken when the window has room for a whole one, which a chunk larger than
        // the window never would have.
        const std::size_t count =
            this->options_.buffer_size == 0 ? wanted : std::min(wanted, this->options_.buffer_size);
        if (room < count) return false;
        if (count == 1) {
            std::optional<arguments> one;
            if (!take_one([&](auto&&... a) { one.emplace(std::forward<decltype(a)>(a)...); })) {
                return false;
            }
            try {
                submit_one(std::move(*one));
            } catch (...) {
                this->taken_ -= 1;
                throw;
            }
            return true;
        }
        std::vector<arguments> inputs;
        inputs.reserve(std::min<std::size_t>(count, 1024));
        while (inputs.size() < count && take_one([&](auto&&... a) {
                   inputs.emplace_back(std::forward<decltype(a)>(a)...);
               })) {
        }
        if (inputs.empty()) return false;
        const std::size_t size = inputs.size();
        try {
            submit_many(std::move(inputs));
        } catch (...) {
            this->taken_ -= size;
            throw;
        }
        return true;
    }

    /// Takes one element of each range; false at the end, or if a range throws.
    template <class Keep>
    bool take_one(Keep keep) {
        try {
            if (past_first_) {
                std::apply([](auto&... it) { (++it, ...); }, at_);
            }
            past_first_ = true;
            if (at_end(std::index_sequence_for<Views...>())) {
                this->exhausted_ = true;
                return false;
            }
            std::apply([&](auto&... it) { keep(*it...); }, at_);
        } catch (...) {
            this->exhausted_ = true;
            this->source_failure_ = std::current_exception();
            return false;
        }
        ++this->taken_;
        return true;
    }
    template <std::size_t... I>
    bool at_end(std::index_sequence<I...>) {
        return ((std::get<I>(at_) == std::ranges::end(std::get<I>(shared_->views))) || ...);
    }

    std::size_t chunks_worth(std::int64_t ns) const noexcept override {
        const auto chunk_ns =
            shared_->times.typical_ns() * static_cast<std::int64_t>(this->front_size());
        return chunk_ns == 0 ? 0 : static_cast<std::size_t>(ns * workers_ / chunk_ns);
    }

    std::size_t chunk_size() const noexcept {
        if (this->options_.chunk_size != 0) return this->options_.chunk_size;
        // Items that take microseconds only are soon known to, if a worker gets to run.
        if (submitted_count_ == measured_items) nap_until_at_least(shared_->times.count(), 8);
        const std::int64_t each = shared_->times.typical_ns();
        // Worth about 100 µs, so that a task's cost and the wake-ups vanish, in a long map up to
        // ten times that; but never so many that the workers' shares would be uneven, nor for items
        // of which one might as well be a task.
        constexpr std::int64_t at_least_ns = 100'000, at_most = 1024;
        if (each == 0 || each > at_least_ns / 2) return 1;
        const auto items = static_cast<std::int64_t>(std::min<std::size_t>(this->total_, 1u << 30));
        const std::int64_t whole_ns = each * items / workers_;
        const std::int64_t worth_ns = std::clamp(whole_ns / 64, at_least_ns, 10 * at_least_ns);
        auto size = static_cast<std::size_t>(std::min(worth_ns / each, at_most));
        const auto workers = static_cast<std::size_t>(workers_);
        if (this->total_ != 0) {
            size = std::min(size, (this->total_ - this->taken_) / (4 * workers));
        }
        if (this->options_.buffer_size != 0) {
            size = std::min(size, this->options_.buffer_size / (2 * workers));
        }
        return std::max<std::size_t>(size, 1);
    }

    // Tasks hold a plain pointer to what they share: with a count of their own to keep, they would
    // all write to one cache line. What still runs when nobody will ask for it keeps it alive.

    void abandon(task& chunk) noexcept override {
        map_engine<result>::abandon(chunk);
        if (chunk.done()) return;
        try {
            add_callback(chunk, [keep = shared_] { (void)keep; });
        } catch (const std::bad_alloc&) {
            // Rather never freed than freed under the running task.
            alignas(std::shared_ptr<shared>) std::byte kept[sizeof(std::shared_ptr<shared>)];
            ::new (static_cast<void*>(kept)) std::shared_ptr<shared>(shared_);
        }
    }

    template <class Run>
    auto submit(Run run) {
        return executor_.submit_at(this->address_, "map", as_task(std::move(run)));
    }
    /// The task that `run(stop...)` is, with a stop token for a callable that takes one.
    template <class Run>
    static auto as_task(Run run) {
        if constexpr (item_call<F, Views...>::takes_stop) {
            return [run = std::move(run)](const std::stop_token& stop) mutable -> decltype(auto) {
                return run(stop);
            };
        } else {
            return run;
        }
    }
    template <class... Stop>
    static result call(shared& with, arguments&& inputs, const Stop&... stop) {
        return std::apply(
            [&](auto&&... a) -> result {
                return std::invoke(with.f, stop..., std::forward<decltype(a)>(a)...);
            },
            std::move(inputs));
    }
    void submit_one(arguments&& inputs) {
        if (++submitted_count_ <= measured_items) {
            this->submitted(submit(
                [with = shared_.get(), in = std::move(inputs)](auto&... stop) mutable -> result {
                    const item_times::stopwatch note(with->times);
                    return call(*with, std::move(in), stop...);
                }));
        } else {
            this->submitted(submit(
                [with = shared_.get(), in = std::move(inputs)](auto&... stop) mutable -> result {
                    return call(*with, std::move(in), stop...);
                }));
        }
    }

    void submit_many(std::vector<arguments>&& inputs) {
        const std::size_t size = inputs.size();
        auto run = [with = shared_.get(), in = std::move(inputs)](auto&... stop) mutable {
            chunk_results<result> done(with->address);
            done.reserve(in.size());
            for (arguments& each : in) {
                if (with->stopped.load(std::memory_order_relaxed)) break; // see map_shared
                done.add([&]() -> decltype(auto) { return call(*with, std::move(each), stop...); });
            }
            return done;
        };
        this->submitted(submit(std::move(run)), size);
    }

    Executor& executor_; ///< not touched once all inputs are taken: results may outlive it
    const int workers_;
    std::shared_ptr<shared> shared_;
    std::tuple<std::ranges::iterator_t<Views>...> at_;
    bool past_first_ = false;
    static constexpr std::size_t measured_items = 64;
    std::size_t submitted_count_ = 0;
};

} // namespace heddle::detail
