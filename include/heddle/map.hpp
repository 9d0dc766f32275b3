/// `map_results<R>`: what `map`, `map_unordered` and `starmap` return, lazily and in order.
#pragma once

#include <heddle/detail/map_source.hpp>

#include <cstddef>
#include <iterator>
#include <memory>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace heddle {

/// The results of a `map`, as a move-only input range.
///
/// Dereferencing waits for the item and hands it out, or throws what the item threw; incrementing
/// then goes on to the next. An exception of the input range itself surfaces at its position and
/// ends the range. Items that nobody dereferenced are skipped, and their failures go to the
/// failure handler. Dropping the results cancels what has not started, asks what is running to stop
/// if it takes a `std::stop_token`, and does not wait for it.
///
/// Example:
///     for (const page& p : pool.map({.buffer_size = 100}, fetch, urls)) store(p);
///
/// Thread safety: one thread at a time. Lifetime: the executor must live until all inputs are
/// taken, which without `buffer_size` is when `map` returns; a range given as an lvalue must
/// outlive the results and the items that are running when they are dropped; an rvalue is moved in.
template <class R>
class map_results {
public:
    /// The position in the results. Copies share one position, as with any input iterator.
    class iterator {
    public:
        using value_type =
            std::conditional_t<std::is_void_v<R>, detail::empty_result, std::remove_cvref_t<R>>;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        iterator() = default;
        /// Waits for the item and hands it out; the reference is good until the increment.
        /// Rethrows what the item threw. @throws timeout_error  `map_options::timeout` has
        /// passed; the item may be asked for again. @throws would_deadlock_error  see `future`.
        std::add_lvalue_reference_t<R> operator*() const { return engine_->current(); }
        /// Goes on to the next item; an item that was not dereferenced is skipped.
        iterator& operator++() {
            engine_->advance();
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const noexcept { return engine_->at_end(); }

    private:
        friend class map_results;
        explicit iterator(detail::map_engine<R>* engine) noexcept : engine_(engine) {}
        detail::map_engine<R>* engine_ = nullptr;
    };

    explicit map_results(std::unique_ptr<detail::map_engine<R>> engine) noexcept
        : engine_(std::move(engine)) {}

    /// The position of the next item that has not been passed. Does not wait.
    iterator begin() noexcept { return iterator(engine_.get()); }
    std::default_sentinel_t end() const noexcept { return {}; }

    /// Waits for all that is left and returns it: a `std::vector<R>`, or nothing for void.
    /// Rethrows the first failure; the rest is then cancelled when the results are dropped.
    auto collect() {
        if constexpr (std::is_void_v<R>) {
            for (auto it = begin(); it != end(); ++it) *it;
        } else {
            using element = std::conditional_t<std::is_reference_v<R>,
                                               std::reference_wrapper<std::remove_reference_t<R>>,
                                               R>;
            std::vector<element> all;
            all.reserve(engine_->known_left());
            for (auto it = begin(); it != end(); ++it) {
                if constexpr (std::is_reference_v<R>) all.emplace_back(*it);
                else all.push_back(std::move(*it));
            }
            return all;
        }
    }

private:
    std::unique_ptr<detail::map_engine<R>> engine_;
};

namespace detail {

/// `F` can be called with the elements of one `Tuple`, and takes a stop token first or does not.
template <class F, class Tuple, bool TakesStop>
concept applicable = requires { std::tuple_size<std::remove_cvref_t<Tuple>>(); } &&
                     []<std::size_t... I>(std::index_sequence<I...>) {
                         using how = call_of<F&, decltype(std::get<I>(std::declval<Tuple>()))...>;
                         return how::valid && how::takes_stop == TakesStop;
                     }(std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<Tuple>>>());

/// Calls `f` with the elements of one tuple, after a stop token if it takes one.
template <class F>
struct star {
    F f;
    template <class Tuple>
        requires applicable<F, Tuple, false>
    decltype(auto) operator()(Tuple&& tuple) {
        return std::apply(f, std::forward<Tuple>(tuple));
    }
    template <class Tuple>
        requires applicable<F, Tuple, true>
    decltype(auto) operator()(const std::stop_token& stop, Tuple&& tuple) {
        return std::apply(
            [&](auto&&... each) -> decltype(auto) {
                return std::invoke(f, stop, std::forward<decltype(each)>(each)...);
            },
            std::forward<Tuple>(tuple));
    }
};

template <class F, class Range>
concept star_mappable = std::ranges::input_range<Range> && mappable<star<std::decay_t<F>>, Range>;

/// Builds the engine for an executor with `submit_at` and `worker_count`, and fills its window.
template <class Executor, class F, class... Ranges>
auto make_map(Executor& executor, map_call call, F&& f, Ranges&&... ranges) {
    using engine = map_engine_for<Executor, std::decay_t<F>, std::views::all_t<Ranges>...>;
    require_callable<std::decay_t<F>>(f, "map");
    auto made = std::make_unique<engine>(executor,
                                         std::move(call),
                                         std::forward<F>(f),
                                         std::views::all(std::forward<Ranges>(ranges))...);
    made->fill();
    return map_results<typename engine::result>(std::move(made));
}

} // namespace detail
} // namespace heddle
