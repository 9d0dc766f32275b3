/// How a map over processes gets its work done: encodes inputs in chunks and submits them.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/detail/map_engine.hpp>
#include <heddle/detail/map_source.hpp>
#include <heddle/detail/process_engine.hpp>
#include <heddle/detail/remote_call.hpp>
#include <heddle/map.hpp>
#include <heddle/promise.hpp>

#include <mutex>
#include <optional>
#include <ranges>
#include <tuple>
#include <utility>
#include <vector>

namespace heddle::detail {

/// The result of a call from what came back.
template <class R>
R decode_value(reader& from) {
    if (from.take_value<bool>()) std::rethrow_exception(decode_failure(from));
    if constexpr (!std::is_void_v<R>) {
        R value{};
        in_archive in(from);
        in(value);
        return value;
    }
}

/// The results of a chunk: each a value or a failure.
template <class R>
chunk_results<R> decode_chunk(reader& from) {
    if (from.take_value<bool>()) std::rethrow_exception(decode_failure(from));
    chunk_results<R> all;
    const auto count = from.take_value<std::uint64_t>();
    for (std::uint64_t i = 0; i < count; ++i) {
        all.add([&]() -> R { return decode_value<R>(from); });
    }
    return all;
}

template <class F>
struct unwrapped {
    using type = F;
};
template <class F>
struct unwrapped<star<F>> {
    using type = F;
};

/// What a worker runs for a chunk. `Tuple` holds the decayed arguments of one item, or, for a
/// starmap, the one tuple that they come in.
template <class F, class R, bool TakesStop, class Tuple>
struct remote_chunk {
    static void run(reader& from, message& to, const std::stop_token& stop) {
        using plain = typename unwrapped<F>::type;
        in_archive in(from);
        F f = make(load_callable<plain>(in));
        const auto count = from.take_value<std::uint64_t>();
        to.append_value(count);
        for (std::uint64_t i = 0; i < count; ++i) {
            Tuple item;
            std::apply([&](auto&... each) { (in(each), ...); }, item);
            const message::position before = to.end();
            try {
                to.append_value(false);
                auto call = [&]() -> decltype(auto) {
                    if constexpr (TakesStop) return call_with(f, item, stop);
                    else return call_with(f, item);
                };
                if constexpr (std::is_void_v<R>) {
                    call();
                } else {
                    out_archive encode(to);
                    encode(static_cast<const R&>(call()));
                }
            } catch (...) {
                to.cut(before);
                to.append_value(true);
                encode_failure(to);
            }
        }
    }
    template <class... Each, class... Stop>
    static decltype(auto) call_with(F& f, std::tuple<Each...>& item, const Stop&... stop) {
        return std::apply(
            [&](Each&... each) -> decltype(auto) {
                if constexpr (std::is_invocable_v<F&, const Stop&..., Each&...>) {
                    return std::invoke(f, stop..., each...);
                } else {
                    return std::invoke(f, stop..., std::move(each)...);
                }
            },
            item);
    }
    static F make(typename unwrapped<F>::type f) {
        if constexpr (std::is_same_v<F, typename unwrapped<F>::type>) return f;
        else return F{std::move(f)};
    }
};

template <class F, class... Views>
class process_map_engine final
    : public map_engine<std::remove_cvref_t<typename item_call<F, Views...>::result::type>> {
public:
    using result = std::remove_cvref_t<typename item_call<F, Views...>::result::type>;
    using plain = typename unwrapped<F>::type;
    using item = std::tuple<travelling_t<std::remove_cvref_t<item_t<Views>>>...>;

    process_map_engine(std::shared_ptr<process_engine> engine, map_call call, F f, Views... views)
        : map_engine<result>(std::move(call)), engine_(std::move(engine)), f_(std::move(f)),
          views_(std::move(views)...),
          at_(std::apply([](auto&... v) { return std::tuple(std::ranges::begin(v)...); }, views_)) {
        require_transferable<plain, result, std::remove_cvref_t<item_t<Views>>...>();
        if constexpr ((std::ranges::sized_range<Views> && ...)) {
            this->total_ = std::apply(
                [](auto&... v) {
                    return std::min({static_cast<std::size_t>(std::ranges::size(v))...});
                },
                views_);
        }
    }
    ~process_map_engine() override { this->cancel_all(); }

private:
    bool take_chunk() override {
        const std::size_t room = this->window();
        const std::size_t chunk = this->options_.chunk_size;
        std::size_t wanted = chunk == 0 ? 1 : chunk;
        if (this->options_.buffer_size != 0) wanted = std::min(wanted, this->options_.buffer_size);
        if (room < wanted) return false;
        using chunk_call = remote_chunk<F, result, item_call<F, Views...>::takes_stop, item>;
        static const function_ref entry =
            name_function(reinterpret_cast<const void*>(&chunk_call::run));
        message call;
        call.append_value(entry);
        out_archive to(call);
        if constexpr (std::is_same_v<F, plain>) save_callable<plain>(to, f_);
        else save_callable<plain>(to, f_.f);
        std::uint64_t count = 0;
        const std::size_t count_at = call.end().size;
        call.append_value(count);
        while (count < wanted && take_one(call, to)) ++count;
        if (count == 0) return false;
        call.replace(count_at, count);
        this->taken_ += count;
        try {
            using results = chunk_results<result>;
            auto* t = call_state<results, &decode_chunk<result>>::make(1);
            t->set_address(this->address_);
            t->record().first_item = this->taken_ - count;
            t->record().items = count;
            submit_call(engine_, *t, t->record(), std::move(call));
            this->submitted(future<results>(t), static_cast<std::size_t>(count));
        } catch (...) {
            this->taken_ -= count;
            throw;
        }
        return true;
    }

    /// Encodes one element of each range; false at the end, or if a range or encoding throws.
    bool take_one(message& inputs, out_archive& to) {
        const message::position before = inputs.end();
        try {
            if (past_first_) std::apply([](auto&... it) { (++it, ...); }, at_);
            past_first_ = true;
            if (at_end(std::index_sequence_for<Views...>())) {
                this->exhausted_ = true;
                return false;
            }
            std::apply(
                [&](auto&... it) { (to(static_cast<const item_of<decltype(it)>&>(*it)), ...); },
                at_);
        } catch (...) {
            inputs.cut(before); // an element that cannot be encoded leaves nothing behind
            this->exhausted_ = true;
            this->source_failure_ = std::current_exception();
            return false;
        }
        return true;
    }
    template <class Iterator>
    using item_of = travelling_t<std::iter_value_t<std::remove_cvref_t<Iterator>>>;

    template <std::size_t... I>
    bool at_end(std::index_sequence<I...>) {
        return ((std::get<I>(at_) == std::ranges::end(std::get<I>(views_))) || ...);
    }

    std::shared_ptr<process_engine> engine_;
    F f_;
    std::tuple<Views...> views_;
    std::tuple<std::ranges::iterator_t<Views>...> at_;
    bool past_first_ = false;
};

/// Builds the engine of a map over processes, and fills its window.
template <class F, class... Ranges>
auto make_process_map(std::shared_ptr<process_engine> engine,
                      map_call call,
                      F&& f,
                      Ranges&&... ranges) {
    using map = process_map_engine<std::decay_t<F>, std::views::all_t<Ranges>...>;
    require_callable<std::decay_t<F>>(f, "map");
    auto made = std::make_unique<map>(std::move(engine),
                                      std::move(call),
                                      std::forward<F>(f),
                                      std::views::all(std::forward<Ranges>(ranges))...);
    made->fill();
    return map_results<typename map::result>(std::move(made));
}

/// One future of the results of all `parts`, or of the first failure among them.
template <class R>
auto gather(std::vector<future<R>> parts) {
    using all = std::conditional_t<std::is_void_v<R>, void, std::vector<stored_t<R>>>;
    struct gathering {
        std::vector<future<R>> parts;
        promise<all> whole;
        atomic<std::size_t> left; ///< Protocol: a count; whoever takes the last one finishes

        void one_less() {
            if (left.fetch_sub(1) != 1) return;
            const std::vector<future<R>> done = std::move(parts);
            try {
                if constexpr (std::is_void_v<R>) {
                    for (const auto& f : done) f.result();
                    whole.set_value();
                } else {
                    all values;
                    values.reserve(done.size());
                    for (const auto& f : done) values.push_back(future<R>(f).result());
                    whole.set_value(std::move(values));
                }
            } catch (...) {
                for (const auto& f : done) f.exception(); // told through the whole
                whole.set_exception(std::current_exception());
            }
        }
    };
    auto shared = std::make_shared<gathering>();
    future<all> made = shared->whole.get_future();
    shared->left = parts.size() + 1;
    shared->parts = parts;
    for (const future<R>& part : parts) {
        part.add_done_callback([shared](const future<R>&) { shared->one_less(); });
    }
    parts.clear();
    shared->one_less();
    return made;
}

} // namespace heddle::detail
