/// The orders in which queues give their items back: first in, last in, smallest first.
///
/// Each container has `push(T&&)`, `take<R>()` (R made of the next item, which is removed), and
/// `drop()` (moves all items out, to be destroyed outside the lock). If a push throws, the
/// container is unchanged and the item has not been moved from; if a take throws, the container is
/// unchanged but for what the item's own move constructor did to it. (A `T` that can neither be
/// copied nor moved without throwing loses these guarantees when the storage grows.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace heddle::detail {

template <class R, class T>
R make_result(T&& item) {
    if constexpr (std::is_same_v<R, std::optional<std::remove_cvref_t<T>>>) {
        return R(std::in_place, std::forward<T>(item));
    } else {
        return R(std::forward<T>(item));
    }
}

/// Makes sure that the next `push_back` neither allocates nor moves other items, so that an item
/// is moved from only when nothing but its own move can fail.
template <class T>
void make_room(std::vector<T>& items) {
    if (items.size() == items.capacity()) items.reserve(items.empty() ? 8 : 2 * items.size());
}

/// First in, first out: a ring whose size is a power of two and that doubles when it is full.
///
/// Thread safety: none of its own. Lifetime: owns its items.
template <class T>
class ring {
public:
    ring() = default;
    ring(ring&& other) noexcept { swap(other); }
    ring& operator=(ring&&) = delete;
    ~ring() {
        for (; count_ != 0; pop()) {
        }
        if (slots_) std::allocator<T>().deallocate(slots_, mask_ + 1);
    }

    void push(T&& item) {
        if (count_ == room()) grow();
        std::construct_at(slot(count_), std::move(item));
        ++count_;
    }

    template <class R>
    R take() {
        R item = make_result<R>(std::move(*slot(0)));
        pop();
        return item;
    }

    ring drop() noexcept { return ring(std::move(*this)); }

private:
    T* slot(std::size_t i) const noexcept { return slots_ + ((first_ + i) & mask_); }
    std::size_t room() const noexcept { return slots_ ? mask_ + 1 : 0; }
    void pop() noexcept {
        std::destroy_at(slot(0));
        ++first_;
        --count_;
    }
    void swap(ring& other) noexcept {
        std::swap(slots_, other.slots_);
        std::swap(mask_, other.mask_);
        std::swap(first_, other.first_);
        std::swap(count_, other.count_);
    }
    void grow() {
        ring larger;
        const std::size_t wanted = slots_ ? 2 * room() : 8;
        larger.slots_ = std::allocator<T>().allocate(wanted);
        larger.mask_ = wanted - 1;
        for (; larger.count_ != count_; ++larger.count_) {
            std::construct_at(larger.slots_ + larger.count_,
                              std::move_if_noexcept(*slot(larger.count_)));
        }
        swap(larger);
    }

    T* slots_ = nullptr;
    std::size_t mask_ = 0;
    std::size_t first_ = 0; // counts up for ever; wraps with the mask
    std::size_t count_ = 0;
};

/// Last in, first out.
///
/// Thread safety: none of its own. Lifetime: owns its items.
template <class T>
class stack {
public:
    void push(T&& item) {
        make_room(items_);
        items_.push_back(std::move(item));
    }

    template <class R>
    R take() {
        R item = make_result<R>(std::move(items_.back()));
        items_.pop_back();
        return item;
    }

    std::vector<T> drop() noexcept { return std::exchange(items_, {}); }

private:
    std::vector<T> items_;
};

/// Smallest first, and first in first out among equals: a binary heap.
///
/// Not `std::push_heap`: there, a comparison that throws loses an item. Here all comparisons are
/// made before anything is moved.
///
/// Thread safety: none of its own. Lifetime: owns its items.
template <class T, class Compare>
class heap {
public:
    explicit heap(Compare less) : less_(std::move(less)) {}

    void push(T&& item) {
        // The way up: a new item is the youngest, so it stays below its equals.
        std::size_t levels = 0;
        for (std::size_t i = entries_.size(); i != 0 && less_(item, entries_[parent(i)].item);
             i = parent(i)) {
            ++levels;
        }
        make_room(entries_);
        entries_.push_back(entry{std::move(item), next_number_++});
        std::size_t hole = entries_.size() - 1;
        if (levels == 0) return;
        entry rising = std::move(entries_[hole]);
        for (; levels != 0; --levels, hole = parent(hole)) {
            entries_[hole] = std::move(entries_[parent(hole)]);
        }
        entries_[hole] = std::move(rising);
    }

    template <class R>
    R take() {
        // The way down for the last entry, one bit a level: left or right child.
        const std::size_t count = entries_.size() - 1;
        std::uint64_t right = 0;
        std::size_t levels = 0;
        for (std::size_t i = 0, child; (child = 2 * i + 1) < count; i = child, ++levels) {
            const bool go_right = child + 1 < count && before(entries_[child + 1], entries_[child]);
            child += go_right;
            if (!before(entries_[child], entries_[count])) break;
            right |= std::uint64_t{go_right} << levels;
        }
        R item = make_result<R>(std::move(entries_.front().item));
        std::size_t hole = 0;
        for (; levels != 0; --levels, right >>= 1) {
            const std::size_t child = 2 * hole + 1 + (right & 1);
            entries_[hole] = std::move(entries_[child]);
            hole = child;
        }
        if (hole != count) entries_[hole] = std::move(entries_[count]);
        entries_.pop_back();
        return item;
    }

    auto drop() noexcept { return std::exchange(entries_, {}); }

private:
    struct entry {
        T item;
        std::uint64_t number; // counts puts, so that equals leave in the order they came
    };
    static std::size_t parent(std::size_t i) noexcept { return (i - 1) / 2; }
    bool before(const entry& a, const entry& b) const {
        return less_(a.item, b.item) || (a.number < b.number && !less_(b.item, a.item));
    }

    std::vector<entry> entries_;
    std::uint64_t next_number_ = 0;
    [[no_unique_address]] Compare less_;
};

} // namespace heddle::detail
