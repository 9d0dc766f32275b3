/// How a map runs: takes inputs in chunks, submits a task for each chunk, keeps the futures in
/// order, hands the results out.
#pragma once

#include <heddle/future.hpp>
#include <heddle/progress.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace heddle {

/// How `map`, `map_unordered` and `starmap` run.
struct map_options {
    /// Items a task; 0: automatic, which is 1 unless items turn out to take microseconds only.
    std::size_t chunk_size = 0;
    /// At most so many inputs are taken beyond the items handed out; 0: all are taken at once.
    std::size_t buffer_size = 0;
    /// How long, from the call on, results are waited for.
    std::optional<duration> timeout = {};
    /// Called after each item handed out, on the thread that iterates; see `heddle::progress`.
    std::function<void(const progress_state&)> progress = {};
};

namespace detail {

enum class order { input, finish };

/// The type in which an element of a range reaches the callable: a reference if the range is
/// multi-pass, so that it stays valid, else a value.
template <class Range, class Reference = std::ranges::range_reference_t<Range>>
using item_t =
    std::conditional_t<std::ranges::forward_range<Range> && std::is_lvalue_reference_v<Reference>,
                       Reference,
                       std::conditional_t<std::is_reference_v<Reference>,
                                          std::ranges::range_value_t<Range>,
                                          std::remove_cv_t<Reference>>>;

template <class F, class... Ranges>
concept mappable = sizeof...(Ranges) > 0 && (std::ranges::input_range<Ranges> && ...) &&
                   (std::ranges::viewable_range<Ranges> && ...) &&
                   std::is_invocable_v<std::decay_t<F>&, item_t<Ranges>...>;

/// The results of one chunk. Failures that were not handed out are reported when it goes.
template <class R>
class chunk_results {
public:
    using item = std::variant<stored_t<R>, std::exception_ptr>;

    chunk_results() = default;
    chunk_results(chunk_results&& other) noexcept
        : items_(std::exchange(other.items_, {})), next_(std::exchange(other.next_, 0)),
          reports_(other.reports_) {}
    chunk_results& operator=(chunk_results&& other) noexcept {
        chunk_results taken(std::move(other));
        std::swap(items_, taken.items_);
        std::swap(next_, taken.next_);
        std::swap(reports_, taken.reports_);
        return *this;
    }
    ~chunk_results() {
        for (; reports_ && next_ < items_.size(); ++next_) {
            if (auto* failure = std::get_if<1>(&items_[next_])) {
                report_failure({.task_name = "", .where = {}, .exception = *failure});
            }
        }
    }

    void reserve(std::size_t count) { items_.reserve(count); }
    template <class Make>
    void add(Make&& make) {
        try {
            if constexpr (std::is_void_v<R>) {
                make();
                items_.emplace_back(std::in_place_index<0>);
            } else if constexpr (std::is_reference_v<R>) {
                items_.emplace_back(std::in_place_index<0>, std::addressof(make()));
            } else {
                items_.emplace_back(std::in_place_index<0>, make());
            }
        }
#ifdef __GLIBCXX__
        catch (abi::__forced_unwind&) { // pthread_exit; must go on
            throw;
        }
#endif
        catch (...) {
            items_.emplace_back(std::in_place_index<1>, std::current_exception());
        }
    }
    /// The chunk as a whole was not run, so all its items end in this way.
    void fail(const std::exception_ptr& why, std::size_t count) {
        items_.assign(count, item(std::in_place_index<1>, why));
        next_ = 0;
        reports_ = false;
    }
    bool empty() const noexcept { return next_ == items_.size(); }
    item take() { return std::move(items_[next_++]); }

private:
    std::vector<item> items_;
    std::size_t next_ = 0;
    bool reports_ = true;
};

/// Notes how long an item took, on the real clock: the longest counts, so slow items stay alone.
class stopwatch {
    using clock = std::chrono::steady_clock;

public:
    explicit stopwatch(std::atomic<std::int64_t>* longest_ns) : longest_ns_(longest_ns) {
        if (longest_ns_) began_ = clock::now();
    }
    ~stopwatch() {
        if (!longest_ns_) return;
        const std::int64_t took = std::max<std::int64_t>((clock::now() - began_) / duration(1), 1);
        // relaxed: a hint, see map_shared.
        if (took > longest_ns_->load(std::memory_order_relaxed)) {
            longest_ns_->store(took, std::memory_order_relaxed); // as above
        }
    }
    stopwatch(const stopwatch&) = delete;
    stopwatch& operator=(const stopwatch&) = delete;

private:
    std::atomic<std::int64_t>* longest_ns_;
    clock::time_point began_;
};

/// What the chunks of one map share. Outlives the results while chunks still run.
template <class F>
struct map_shared {
    explicit map_shared(F&& given) : f(std::move(given)) {}
    explicit map_shared(const F& given) : f(given) {}
    F f;
    /// Protocol: set once, when the results are dropped; chunks look before each item. Relaxed:
    /// no data depends on it.
    std::atomic<bool> stopped{false};
    /// Protocol: about how long an item takes, in ns, 0 if not known; a hint.
    std::atomic<std::int64_t> item_ns{0};
};

/// The part of the engine that knows no executor and no ranges.
template <class R>
class map_engine {
public:
    virtual ~map_engine() = default;
    map_engine(const map_engine&) = delete;
    map_engine& operator=(const map_engine&) = delete;

    bool at_end() const noexcept { return !has_current_ && items_left() == 0 && !source_failure_; }
    std::size_t known_left() const noexcept { return items_left(); }

    std::add_lvalue_reference_t<R> current() {
        if (!has_current_) fetch();
        if (auto* failure = std::get_if<1>(&current_)) std::rethrow_exception(*failure);
        if constexpr (std::is_reference_v<R>) return *std::get<0>(current_);
        else if constexpr (!std::is_void_v<R>) return std::get<0>(current_);
    }
    void advance() {
        if (!has_current_) skip();
        has_current_ = false;
        current_ = item();
    }
    /// Takes inputs until the window is full. What submitting throws comes out of here.
    void fill() {
        while (!exhausted_ && take_chunk()) {
        }
        if (exhausted_ && total_ == 0) total_ = taken_;
    }

protected:
    using item = typename chunk_results<R>::item;
    using many = future<chunk_results<R>>;

    map_engine(map_options options, order in)
        : options_(std::move(options)), order_(in), began_(now_ns()),
          limit_(options_.timeout ? deadline::after(*options_.timeout) : deadline::never()) {}

    /// Takes and submits one more chunk; false if the window is full or the inputs have ended.
    virtual bool take_chunk() = 0;
    /// How many chunks of the size of the front one the executor does in `ns`; 0: not known.
    virtual std::size_t chunks_worth(std::int64_t ns) const noexcept = 0;

    void submitted(future<R> one) {
        pending p{.one = std::move(one), .rest = {}, .size = 1};
        queue(std::move(p));
    }
    void submitted(many chunk, std::size_t size) {
        pending p{.one = {}, .rest = std::move(chunk), .size = size};
        queue(std::move(p));
    }
    std::size_t window() const noexcept {
        if (options_.buffer_size == 0) return static_cast<std::size_t>(-1);
        return options_.buffer_size - (taken_ - consumed_);
    }
    void cancel_all() noexcept {
        for (pending& p : pending_) {
            if (p.one.valid()) p.one.cancel();
            if (p.rest.valid()) p.rest.cancel();
        }
    }

    map_options options_;
    const order order_;
    const std::int64_t began_;
    const deadline limit_;
    bool exhausted_ = false;
    std::exception_ptr source_failure_; ///< what the input range threw, to surface at the end
    std::size_t taken_ = 0, consumed_ = 0, total_ = 0;

    std::size_t front_size() const noexcept { return pending_.front().size; }

private:
    /// A consumer that is faster than the workers sleeps for so long at a time.
    static constexpr std::int64_t batch_ns = 500'000;

    struct pending {
        future<R> one; ///< for a chunk of one item, else:
        many rest;
        std::size_t size = 0;
        task* of() const noexcept { return one.valid() ? one.task() : rest.task(); }
    };

    std::size_t items_left() const noexcept { return taken_ - consumed_; }

    void queue(pending&& p) {
        if (order_ == order::input) {
            pending_.push_back(std::move(p));
            return;
        }
        const std::size_t index = finished_.add(*p.of());
        if (index == pending_.size()) pending_.push_back(std::move(p));
        else pending_[index] = std::move(p);
    }

    bool wait_for_front() {
        const std::size_t later = std::min(chunks_worth(batch_ns), pending_.size() - 1);
        return wait_for_batch(
            *pending_.front().of(), *pending_[later].of(), duration(batch_ns), limit_);
    }
    /// Waits for the next chunk and makes its results current.
    void next_chunk() {
        std::size_t index = 0;
        if (order_ == order::finish) {
            index = finished_.pop(limit_, true);
            if (index == completion_queue::none) throw_timeout();
        } else if (!wait_for_front()) {
            throw_timeout();
        }
        pending p = std::move(pending_[index]);
        if (order_ == order::input) pending_.pop_front();
        if (p.rest.valid()) {
            if (std::exception_ptr failure = p.rest.exception()) chunk_.fail(failure, p.size);
            else chunk_ = std::move(p.rest).result();
            return;
        }
        if (std::exception_ptr failure = p.one.exception()) {
            single_.emplace(std::in_place_index<1>, std::move(failure));
        } else if constexpr (std::is_void_v<R>) {
            single_.emplace(std::in_place_index<0>);
        } else if constexpr (std::is_reference_v<R>) {
            single_.emplace(std::in_place_index<0>, std::addressof(p.one.result()));
        } else {
            single_.emplace(std::in_place_index<0>, std::move(p.one).result());
        }
    }
    [[noreturn]] void throw_timeout() const {
        throw timeout_error("map: the result is not there within the time limit (" +
                            std::to_string(consumed_) + " handed out)");
    }

    void fetch() {
        if (items_left() == 0) { // what is left is the failure of the input range
            current_.template emplace<1>(std::exchange(source_failure_, nullptr));
            has_current_ = true;
            return;
        }
        if (!single_ && chunk_.empty()) next_chunk();
        if (single_) {
            current_ = std::move(*single_);
            single_.reset();
        } else {
            current_ = chunk_.take();
        }
        has_current_ = true;
        ++consumed_;
        refill();
        if (options_.progress) report_progress();
    }
    void skip() {
        fetch();
        if (auto* failure = std::get_if<1>(&current_)) {
            report_failure({.task_name = "", .where = {}, .exception = *failure});
        }
    }
    void refill() {
        if (exhausted_) return;
        try {
            fill();
        } catch (...) { // the executor takes no more: the range ends here, and says why
            exhausted_ = true;
            source_failure_ = std::current_exception();
        }
    }
    void report_progress() {
        progress_state state{};
        if (const auto* bar = options_.progress.template target<progress>()) {
            state.label = bar->label();
        }
        state.done = consumed_;
        state.total = total_;
        state.elapsed = duration(now_ns() - began_);
        options_.progress(state);
    }

    std::deque<pending> pending_;
    completion_queue finished_; ///< for order::finish; indices are those of pending_
    chunk_results<R> chunk_;    ///< what is left of the chunk being handed out
    std::optional<item> single_;
    item current_;
    bool has_current_ = false;
};

template <class Executor, class F, class... Views>
class map_engine_for final
    : public map_engine<future_value_t<std::invoke_result_t<F&, item_t<Views>...>>> {
public:
    using result = future_value_t<std::invoke_result_t<F&, item_t<Views>...>>;

    template <class G>
    map_engine_for(Executor& executor, map_options options, order in, G&& f, Views... views)
        : map_engine<result>(std::move(options), in), executor_(executor),
          shared_(std::make_shared<map_shared<F>>(std::forward<G>(f))), views_(std::move(views)...),
          at_(std::apply([](auto&... v) { return std::tuple(std::ranges::begin(v)...); }, views_)) {
        if constexpr ((std::ranges::sized_range<Views> && ...)) {
            this->total_ = std::apply(
                [](auto&... v) {
                    return std::min({static_cast<std::size_t>(std::ranges::size(v))...});
                },
                views_);
        }
    }
    ~map_engine_for() override {
        shared_->stopped.store(true, std::memory_order_relaxed); // see map_shared
        this->cancel_all();
    }

private:
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
        return ((std::get<I>(at_) == std::ranges::end(std::get<I>(views_))) || ...);
    }

    std::int64_t item_ns() const noexcept {
        return shared_->item_ns.load(std::memory_order_relaxed); // a hint
    }
    std::size_t chunks_worth(std::int64_t ns) const noexcept override {
        const auto chunk_ns = item_ns() * static_cast<std::int64_t>(this->front_size());
        return chunk_ns == 0 ? 0
                             : static_cast<std::size_t>(ns * executor_.worker_count() / chunk_ns);
    }

    std::size_t chunk_size() const noexcept {
        if (this->options_.chunk_size != 0) return this->options_.chunk_size;
        // Items that take microseconds only are soon known to, if a worker gets to run.
        if (submitted_count_ == first_look) nap_until_nonzero(shared_->item_ns);
        const std::int64_t each = item_ns();
        // Worth about 100 µs, so that a task's cost and the wake-ups vanish; but never so many that
        // the workers' shares would be uneven, nor for items of which one might as well be a task.
        constexpr std::int64_t worth_ns = 100'000, at_most = 1024;
        if (each == 0 || each > worth_ns / 2) return 1;
        std::size_t size = static_cast<std::size_t>(std::min(worth_ns / each, at_most));
        const auto workers = static_cast<std::size_t>(executor_.worker_count());
        if (this->total_ != 0) {
            size = std::min(size, (this->total_ - this->taken_) / (4 * workers));
        }
        if (this->options_.buffer_size != 0) {
            size = std::min(size, this->options_.buffer_size / (2 * workers));
        }
        return std::max<std::size_t>(size, 1);
    }

    void submit_one(arguments&& inputs) {
        const bool measured = ++submitted_count_ <= 64;
        auto run = [shared = shared_, in = std::move(inputs), measured]() mutable -> result {
            const stopwatch note(measured ? &shared->item_ns : nullptr);
            return std::apply(
                [&](auto&&... a) -> result {
                    return std::invoke(shared->f, std::forward<decltype(a)>(a)...);
                },
                std::move(in));
        };
        this->submitted(executor_.submit(std::move(run)));
    }

    void submit_many(std::vector<arguments>&& inputs) {
        const std::size_t size = inputs.size();
        auto run = [shared = shared_, in = std::move(inputs)]() mutable {
            chunk_results<result> done;
            done.reserve(in.size());
            for (arguments& each : in) {
                if (shared->stopped.load(std::memory_order_relaxed)) break; // see map_shared
                done.add([&]() -> decltype(auto) {
                    return std::apply(
                        [&](auto&&... a) -> decltype(auto) {
                            return std::invoke(shared->f, std::forward<decltype(a)>(a)...);
                        },
                        std::move(each));
                });
            }
            return done;
        };
        this->submitted(executor_.submit(std::move(run)), size);
    }

    Executor& executor_;
    std::shared_ptr<map_shared<F>> shared_;
    std::tuple<Views...> views_;
    std::tuple<std::ranges::iterator_t<Views>...> at_;
    bool past_first_ = false;
    static constexpr int first_look = 64;
    int submitted_count_ = 0;
};

} // namespace detail
} // namespace heddle
