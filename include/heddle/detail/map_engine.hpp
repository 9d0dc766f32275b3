/// How a map hands out its results: keeps the futures of its chunks in order, waits, unpacks.
#pragma once

#include <heddle/future.hpp>
#include <heddle/progress.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
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
    __attribute__((no_sanitize("null"))) void add(Make&& make) { // as closure_task::run
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
        items_.clear();
        for (std::size_t i = 0; i < count; ++i) items_.emplace_back(std::in_place_index<1>, why);
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

/// The part of the engine that knows no executor and no ranges.
template <class R>
class map_engine {
public:
    virtual ~map_engine() = default;
    map_engine(const map_engine&) = delete;
    map_engine& operator=(const map_engine&) = delete;

    bool at_end() const noexcept { return !current_ && items_left() == 0 && !source_failure_; }
    std::size_t known_left() const noexcept { return items_left(); }

    std::add_lvalue_reference_t<R> current() {
        if (!current_) fetch();
        if (auto* failure = std::get_if<1>(&*current_)) std::rethrow_exception(*failure);
        if constexpr (std::is_reference_v<R>) return *std::get<0>(*current_);
        else if constexpr (!std::is_void_v<R>) return std::get<0>(*current_);
    }
    void advance() {
        if (!current_) skip();
        current_.reset();
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
    virtual std::size_t chunks_worth(std::int64_t /*ns*/) const noexcept { return 0; }

    void submitted(future<R> one) { queue({.one = std::move(one), .rest = {}, .size = 1}); }
    void submitted(many chunk, std::size_t size) {
        queue({.one = {}, .rest = std::move(chunk), .size = size});
    }
    std::size_t window() const noexcept {
        if (options_.buffer_size == 0) return static_cast<std::size_t>(-1);
        return options_.buffer_size - (taken_ - consumed_);
    }
    void cancel_all() noexcept {
        for (const pending& p : pending_) {
            if (p.one.valid() || p.rest.valid()) abandon(*p.of());
        }
    }
    /// Lets go of a chunk that nobody will ask for: it is cancelled if it has not started.
    virtual void abandon(task& chunk) noexcept { chunk.cancel(); }

    map_options options_;
    const order order_;
    const std::int64_t began_;
    const deadline limit_;
    bool exhausted_ = false;
    std::exception_ptr source_failure_; ///< what the input range threw, to surface at the end
    std::size_t taken_ = 0, consumed_ = 0, total_ = 0;

    std::size_t front_size() const noexcept { return pending_.front().size; }

private:
    /// For how long at a time a consumer that is faster than the workers sleeps: an eighth of the
    /// time since the map began. So nothing comes late by more than an eighth (or 1 ms), and a
    /// long map is not interrupted for each of its many short chunks.
    std::int64_t batch_ns() const noexcept {
        constexpr std::int64_t at_least = 20'000, at_most = 1'000'000;
        return std::clamp((now_ns() - began_) / 8, at_least, at_most);
    }

    struct pending {
        future<R> one; ///< for a chunk of one item, else:
        many rest;
        std::size_t size = 0;
        task* of() const noexcept { return one.valid() ? one.task() : rest.task(); }
    };

    std::size_t items_left() const noexcept { return taken_ - consumed_; }

    void queue(pending p) {
        std::size_t index = pending_.size();
        try {
            pending_.emplace_back(); // first, since what has been added cannot be taken out again
            if (order_ == order::finish) index = finished_.add(*p.of());
        } catch (...) {
            if (pending_.size() > index) pending_.pop_back();
            abandon(*p.of());
            throw;
        }
        if (index + 1 != pending_.size()) pending_.pop_back();
        pending_[index] = std::move(p);
    }

    bool wait_for_front() {
        task& front = *pending_.front().of();
        if (front.done()) return true;
        const std::int64_t batch = batch_ns();
        const std::size_t later = std::min(chunks_worth(batch), pending_.size() - 1);
        return wait_for_batch(front, *pending_[later].of(), duration(batch), limit_);
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
            current_.emplace(std::in_place_index<1>, std::exchange(source_failure_, nullptr));
            return;
        }
        if (!single_ && chunk_.empty()) next_chunk();
        if (single_) {
            current_.emplace(std::move(*single_));
            single_.reset();
        } else {
            current_.emplace(chunk_.take());
        }
        ++consumed_;
        refill();
        if (options_.progress) report_progress();
    }
    void skip() {
        fetch();
        if (auto* failure = std::get_if<1>(&*current_)) {
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
    std::optional<item> current_; ///< the item being handed out
};

} // namespace detail
} // namespace heddle
