/// `mp::shared_value` and `mp::shared_array`: memory that processes share on purpose.
#pragma once

#include <heddle/detail/archive.hpp>
#include <heddle/detail/shared_memory.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace heddle::detail {

template <class T>
consteval void require_shareable() {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_const_v<T>,
                  "heddle: what processes share in memory must be trivially copyable: no strings, "
                  "vectors or other types that own memory, which the other process does not have; "
                  "use mp::queue for those");
    static_assert(!std::is_pointer_v<T> && !std::is_member_pointer_v<T>,
                  "heddle: a pointer means nothing in another process; share what it points to");
    static_assert(alignof(T) <= shared_cell::most_aligned,
                  "heddle: what processes share may be aligned to 64 bytes at most");
}

} // namespace heddle::detail

namespace heddle::mp {

/// One value that several processes read and change under one lock.
///
/// A handle: copies, also those that were passed to other processes, mean the same value. The
/// memory has no name and is freed with the last handle, however its process ends. A process that
/// dies while it holds the lock has changed nothing and holds up nobody. An operation costs about
/// 50 ns and a copy of the value, if nobody else is at it.
///
/// Example:
///     heddle::mp::shared_value<int> counter(0);
///     heddle::mp::process child([](auto c) { c.fetch_add(1); }, counter);
///     child.join();
///     std::cout << counter.load() << '\n'; // 1
///
/// Thread safety: all members may be called from any thread of any process. Lifetime: the value
/// lives as long as any handle.
template <class T>
class shared_value {
public:
    using value_type = T;

    /// Makes a value-initialised value.
    shared_value() : shared_value(T()) {}
    /// Makes a value in new shared memory. About 10 µs.
    /// @throws std::system_error  there is no memory or no descriptor left.
    explicit shared_value(const T& initial) {
        detail::require_shareable<T>();
        cell_ = std::make_shared<detail::shared_cell>(sizeof(T), &initial);
    }

    /// Returns a copy of the value.
    T load() const {
        const detail::shared_cell::access held(*cell_);
        return *static_cast<const T*>(held.value());
    }
    /// Replaces the value.
    void store(const T& value) const {
        detail::shared_cell::access held(*cell_);
        *static_cast<T*>(held.draft()) = value;
        held.publish();
    }
    /// Calls `f(value)` under the lock and returns what it returns; what `f` changes counts when
    /// it has returned. `f` gets a copy that is gone afterwards: keep no reference to it.
    /// Rethrows what `f` throws; the value is then as it was before.
    /// @throws would_deadlock_error  `f` uses this very value.
    ///
    /// Example:
    ///     best.with([&](score& s) { if (mine > s.points) s = {mine, me}; });
    template <class F>
        requires std::invocable<F&, T&>
    auto with(F&& f) const {
        detail::shared_cell::access held(*cell_);
        T& draft = *static_cast<T*>(held.draft());
        if constexpr (std::is_void_v<std::invoke_result_t<F&, T&>>) {
            std::invoke(f, draft);
            held.publish();
        } else {
            auto result = std::invoke(f, draft);
            held.publish();
            return result;
        }
    }
    /// Adds `n` and returns what the value was before.
    T fetch_add(T n) const
        requires std::integral<T>
    {
        return with([n](T& value) { return std::exchange(value, static_cast<T>(value + n)); });
    }

    /// Sends the handle to another process; called by cereal.
    void save(detail::out_archive& to) const { to(to.attach(cell_->file())); }
    /// Makes this the handle that was sent; called by cereal.
    void load(detail::in_archive& from) {
        std::uint32_t place = 0;
        from(place);
        cell_ = std::make_shared<detail::shared_cell>(sizeof(T), from.attached(place));
    }

private:
    std::shared_ptr<detail::shared_cell> cell_;
};

/// `n` elements that several processes use as they use an array of their own: without a lock.
///
/// A handle: copies, also those that were passed to other processes, mean the same elements. As
/// with threads, two processes must not use one element at the same time if one of them writes;
/// give each its own part, or agree through an `mp::queue`. The memory has no name and is freed
/// with the last handle.
///
/// Example:
///     heddle::mp::shared_array<double> rows(1000);
///     heddle::mp::process child([](auto r) { std::ranges::fill(r, 0.5); }, rows);
///     child.join();
///     std::cout << rows[999] << '\n'; // 0.5
///
/// Thread safety: as a `T[]`. Lifetime: the elements live as long as any handle.
template <class T>
class shared_array {
public:
    using value_type = T;
    using iterator = T*;

    /// Makes an array of no elements.
    shared_array() : shared_array(0) {}
    /// Makes `n` value-initialised elements in new shared memory.
    /// @throws std::invalid_argument  `n` is a negative number in disguise.
    /// @throws std::system_error  there is no memory or no descriptor left.
    explicit shared_array(std::size_t n) : size_(n) {
        detail::require_shareable<T>();
        const std::size_t bytes = detail::checked_size(n, sizeof(T));
        memory_ = std::make_shared<detail::shared_memory>(bytes == 0 ? 1 : bytes);
        if constexpr (!std::is_trivially_default_constructible_v<T>) { // new memory is zero
            std::uninitialized_value_construct_n(begin(), n);
        }
    }

    /// Returns an element. Undefined if `index` is not less than `size()`.
    T& operator[](std::size_t index) const noexcept { return begin()[index]; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    T* data() const noexcept { return begin(); }
    T* begin() const noexcept { return reinterpret_cast<T*>(memory_->data()); }
    T* end() const noexcept { return begin() + size_; }

    /// Sends the handle to another process; called by cereal.
    void save(detail::out_archive& to) const {
        to(to.attach(memory_->file()), static_cast<std::uint64_t>(size_));
    }
    /// Makes this the handle that was sent; called by cereal.
    void load(detail::in_archive& from) {
        std::uint32_t place = 0;
        std::uint64_t size = 0;
        from(place, size);
        memory_ = std::make_shared<detail::shared_memory>(from.attached(place));
        size_ = static_cast<std::size_t>(size);
    }

private:
    std::shared_ptr<detail::shared_memory> memory_;
    std::size_t size_ = 0;
};

} // namespace heddle::mp
