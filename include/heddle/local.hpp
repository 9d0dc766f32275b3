/// `local<T>`: one value a thread, which outlives the thread.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace heddle {

namespace detail {

/// The last values that this thread found, by the number of their `local`. Numbers are never used
/// twice, so an entry that has outlived its `local` is never matched again.
struct local_cache {
    struct entry {
        std::uint64_t number = 0; // 0: empty
        void* value = nullptr;
    };
    static constexpr std::size_t size = 32;
    std::array<entry, size> entries{};
};
inline thread_local constinit local_cache this_thread_locals;

/// The part of `local` that does not depend on the type: which thread has which value.
///
/// Thread safety: all members may be called from any thread. Lifetime: owns no values.
class local_table {
public:
    local_table() noexcept;
    local_table(const local_table&) = delete;
    local_table& operator=(const local_table&) = delete;

    local_cache::entry& cached() const noexcept {
        return this_thread_locals.entries[number_ % local_cache::size];
    }
    /// Returns this thread's value, or null.
    void* find();
    /// Records this thread's value; on an exception, nothing has changed.
    void insert(void* value);
    /// Returns all values in the order they came.
    std::vector<void*> all() const;
    /// The same without a copy, for when no other thread can be adding to it.
    const std::vector<void*>& in_order() const noexcept { return in_order_; }

    const std::uint64_t number_;

private:
    mutable std::mutex mutex_;
    /// By a number of the thread that, unlike the system's, is never used again.
    std::unordered_map<std::uint64_t, void*> by_thread_;
    std::vector<void*> in_order_;
};

} // namespace detail

/// One value of type `T` for each thread that asks for it, kept after the thread has ended.
///
/// Made for sums that need no lock: each thread adds to its own, and at the end `combine` adds
/// them up. Unlike a `thread_local` variable it belongs to an object, its values can be listed,
/// and they are destroyed with the object, not with the threads.
///
/// Example:
///     heddle::local<long> hits;
///     pool.map([&](int x) { if (good(x)) ++hits.get(); }, numbers).collect();
///     long all = hits.combine(std::plus<>{});
///
/// Thread safety: `get` may be called from any thread, and what it returns belongs to the calling
/// thread. `for_each` and `combine` touch the values of all threads, which must be at rest then.
/// Lifetime: owns the values; no thread may use its value when it is destroyed.
template <class T>
class local {
    static_assert(std::is_object_v<T> && std::same_as<T, std::remove_cv_t<T>>,
                  "heddle: local<T> takes an object type without const");

public:
    /// Values start as `T()`.
    local()
        requires std::default_initializable<T>
        : factory_([] { return T(); }) {}

    /// Values start as what `factory()` returns; it is called in the thread that asks first, and
    /// by several threads at once.
    template <class F>
        requires std::is_invocable_r_v<T, F&> && (!std::same_as<std::remove_cvref_t<F>, local>)
    explicit local(F factory) : factory_(std::move(factory)) {}

    ~local() {
        for (void* value : table_.in_order()) delete static_cast<T*>(value);
    }

    /// Returns this thread's value; makes it at the first call, and throws what that throws.
    ///
    /// Costs about 2 ns when this thread has used this `local` lately (32 are remembered), about
    /// 40 ns otherwise. Blocks only to look up, never while a value is made.
    T& get() {
        const detail::local_cache::entry& cached = table_.cached();
        if (cached.number == table_.number_) return *static_cast<T*>(cached.value);
        return get_slow();
    }

    /// Calls `f(value)` for the value of each thread, in the order they were made.
    template <class F>
        requires std::invocable<F&, T&>
    void for_each(F f) {
        for (void* value : table_.all()) std::invoke(f, *static_cast<T*>(value));
    }

    /// Returns `op(op(first, second), third)…` over the values of all threads, in the order they
    /// were made; a new value, as `get` would make it, if there are none.
    template <class Op>
        requires std::copy_constructible<T> && std::is_invocable_r_v<T, Op&, T, const T&>
    T combine(Op op) const {
        const std::vector<void*> values = table_.all();
        if (values.empty()) return factory_();
        T sum = *static_cast<const T*>(values.front());
        for (std::size_t i = 1; i != values.size(); ++i) {
            sum = std::invoke(op, std::move(sum), *static_cast<const T*>(values[i]));
        }
        return sum;
    }

private:
    T& get_slow() {
        if (void* value = table_.find()) return *static_cast<T*>(value);
        auto made = std::unique_ptr<T>(new T(factory_()));
        table_.insert(made.get());
        return *made.release();
    }

    detail::local_table table_;
    std::function<T()> factory_;
};

} // namespace heddle
