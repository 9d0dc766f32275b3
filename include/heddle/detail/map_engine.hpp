/// How a map hands out its results: keeps the futures of its chunks in order, waits, unpacks.
#pragma once

#include <heddle/future.hpp>
#include <heddle/progress.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

/// What a map was asked for, beside the callable and the ranges.
struct map_call {
    map_options options;
    order in = order::input;
    const void* address = nullptr; ///< where it was called, for the reports of lost failures
};

/// The results of one chunk. Failures that were not handed out are reported when it goes.
template <class R>
class chunk_results {
public:
    using item = std::variant<stored_t<R>, std::exception_ptr>;

    /// The results of items of the map that was called at `address`, if that is known.
    explicit chunk_results(const void* address = nullptr) noexcept : address_(address) {}
    chunk_results(chunk_results&& other) noexcept
        : items_(std::exchange(other.items_, {})), next_(std::exchange(other.next_, 0)),
          reports_(other.reports_), address_(other.address_) {}
    chunk_results& operator=(chunk_results&& other) noexcept {
        chunk_results taken(std::move(other));
        std::swap(items_, taken.items_);
        std::swap(next_, taken.next_);
        std::swap(reports_, taken.reports_);
        std::swap(address_, taken.address_);
        return *this;
    }
    ~chunk_results() {
        for (; reports_ && next_ < items_.size(); ++next_) {
            if (auto* failure = std::get_if<1>(&items_[next_])) {
                report_failure(
                    {.task_name = "", .where = {}, .address = address_, .exception = *failure});
            }
        }
    }

    /// Says where the map was called, when whoever made the results could not know.
    void came_from(const void* address) noexcept { address_ = address; }
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
    /// The next item, which is thereby handed out; it stays here.
    item& next() { return items_[next_++]; }

private:
    std::vector<item> items_;
    std::size_t next_ = 0;
    bool reports_ = true;
    const void* address_;
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
        if (auto* failure = std::get_if<1>(current_)) std::rethrow_exception(*failure);
        if constexpr (std::is_reference_v<R>) return *std::get<0>(*current_);
        else if constexpr (!std::is_void_v<R>) return std::get<0>(*current_);
    }
    void advance() {
        if (!current_) skip();
        current_->template emplace<1>(); // an item lives no longer than it is current
        current_ = nullptr;
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

    explicit map_engine(map_call call)
        : options_(std::move(call.options)), order_(call.in), address_(call.address),
          began_(now_ns()),
          limit_(options_.timeout ? deadline::after(*options_.timeout) : deadline::never()) {}

    /// Takes and submits one more chunk; false if the window is full or the inputs have ended.
    virtual bool take_chunk() = 0;
    /// How many chunks of the size of the front one the executor does in `ns`; 0: not known.
    virtual std::size_t chunks_worth(std::int64_t /*ns*/) const noexcept { return 0; }

    void submitted(future<R> one) { queue(pending(one.release(), 0)); }
    void submitted(many chunk, std::size_t size) { queue(pending(chunk.release(), size)); }
    /// Makes room for the handles of so many chunks, where all are taken at once.
    void expect_chunks(std::size_t count) {
        constexpr std::size_t most = 1u << 20; // more only grows, later
        if (options_.buffer_size == 0) pending_.reserve(std::min(count, most));
    }
    std::size_t window() const noexcept {
        if (options_.buffer_size == 0) return static_cast<std::size_t>(-1);
        return options_.buffer_size - (taken_ - consumed_);
    }
    void cancel_all() noexcept {
        for (const pending& p : pending_) {
            if (p) abandon(p.of());
        }
    }
    /// Lets go of a chunk that nobody will ask for: it is cancelled if it has not started, else
    /// asked to stop.
    virtual void abandon(task& chunk) noexcept {
        if (!chunk.cancel()) chunk.request_stop();
    }

    map_options options_;
    const order order_;
    const void* const address_;
    const std::int64_t began_;
    const deadline limit_;
    bool exhausted_ = false;
    std::exception_ptr source_failure_; ///< what the input range threw, to surface at the end
    std::size_t taken_ = 0, consumed_ = 0, total_ = 0;

    std::size_t front_size() const noexcept { return pending_[front_].size(); }

private:
    /// For how long at a time a consumer that is faster than the workers sleeps: a quarter of the
    /// time since the map began. So nothing comes late by more than a quarter (or 2 ms), and a
    /// long map is not interrupted for each of its many short chunks.
    std::int64_t batch_ns() const noexcept {
        constexpr std::int64_t at_least = 20'000, at_most = 2'000'000;
        return std::clamp((now_ns() - began_) / 4, at_least, at_most);
    }

    /// The handle to the task of a chunk: a `future<R>` or a `many`, in less room than both.
    class pending {
    public:
        pending() = default;
        /// Adopts the handle to `size` items that come as `many`, or, if 0, one that comes alone.
        pending(task* of, std::size_t size) noexcept : of_(of), size_(size) {}
        pending(pending&& other) noexcept
            : of_(std::exchange(other.of_, nullptr)), size_(other.size_) {}
        pending& operator=(pending other) noexcept {
            std::swap(of_, other.of_);
            std::swap(size_, other.size_);
            return *this;
        }
        ~pending() {
            if (of_) of_->drop_handle();
        }
        explicit operator bool() const noexcept { return of_ != nullptr; }
        task& of() const noexcept { return *of_; }
        bool alone() const noexcept { return size_ == 0; }
        std::size_t size() const noexcept { return alone() ? 1 : size_; }
        template <class T>
        future<T> take() noexcept {
            return future<T>(static_cast<state<T>*>(std::exchange(of_, nullptr)));
        }

    private:
        task* of_ = nullptr;
        std::size_t size_ = 0;
    };

    std::size_t items_left() const noexcept { return taken_ - consumed_; }

    void queue(pending p) {
        drop_taken();
        const std::size_t before = pending_.size();
        try {
            pending& last = pending_.emplace_back(); // first, since nothing can leave finished_
            if (order_ == order::input) {
                last = std::move(p);
                return;
            }
            const std::size_t index = finished_.add(p.of());
            if (index != before) pending_.pop_back();
            pending_[index] = std::move(p);
        } catch (...) {
            if (pending_.size() != before) pending_.pop_back();
            abandon(p.of());
            throw;
        }
    }

    /// Makes room where chunks were taken from, rather than let the vector grow: moves fewer than
    /// were taken, so each chunk costs one move at most.
    void drop_taken() noexcept {
        if (pending_.size() < pending_.capacity() || front_ <= pending_.size() / 2) return;
        pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(front_));
        front_ = 0;
    }
    bool wait_for_front() {
        task& front = pending_[front_].of();
        if (front.done()) return true;
        const std::int64_t batch = batch_ns();
        const std::size_t later = std::min(front_ + chunks_worth(batch), pending_.size() - 1);
        return wait_for_batch(front, pending_[later].of(), duration(batch), limit_);
    }
    /// Waits for the next chunk and makes its first item current.
    void next_chunk() {
        std::size_t index = front_;
        if (order_ == order::finish) {
            index = finished_.pop(limit_, true);
            if (index == completion_queue::none) throw_timeout();
        } else if (!wait_for_front()) {
            throw_timeout();
        }
        pending p = std::move(pending_[index]);
        if (order_ == order::input) ++front_;
        if (!p.alone()) {
            many results = p.template take<chunk_results<R>>();
            if (std::exception_ptr failure = results.exception()) chunk_.fail(failure, p.size());
            else chunk_ = std::move(results).result();
            chunk_.came_from(address_); // they may be from another process
            current_ = &chunk_.next();
            return;
        }
        future<R> one = p.template take<R>();
        if (one.task()->current() != phase::value) {
            single_.template emplace<1>(one.exception());
        } else if constexpr (std::is_void_v<R>) {
            single_.template emplace<0>();
        } else if constexpr (std::is_reference_v<R>) {
            single_.template emplace<0>(std::addressof(one.result()));
        } else {
            single_.template emplace<0>(std::move(one).result());
        }
        current_ = &single_;
    }
    [[noreturn]] void throw_timeout() const {
        throw timeout_error("map: the result is not there within the time limit (" +
                            std::to_string(consumed_) + " handed out)");
    }

    void fetch() {
        if (items_left() == 0) { // what is left is the failure of the input range
            current_ = &single_;
            single_.template emplace<1>(std::exchange(source_failure_, nullptr));
            return;
        }
        if (chunk_.empty()) next_chunk();
        else current_ = &chunk_.next();
        ++consumed_;
        refill();
        if (options_.progress) report_progress();
    }
    void skip() {
        fetch();
        if (auto* failure = std::get_if<1>(current_)) {
            report_failure(
                {.task_name = "", .where = {}, .address = address_, .exception = *failure});
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

    std::vector<pending> pending_; ///< a deque would cost an allocation for each 32
    std::size_t front_ = 0;        ///< in input order, the next one; those before it were taken
    completion_queue finished_;    ///< for order::finish; indices are those of pending_
    chunk_results<R> chunk_;       ///< what is left of the chunk being handed out
    item single_{std::in_place_index<1>, nullptr}; ///< an item that came alone
    item* current_ = nullptr;                      ///< the item being handed out, there
};

} // namespace detail
} // namespace heddle
