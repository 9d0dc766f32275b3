#include <heddle/detail/atomic.hpp>
#include <heddle/local.hpp>

namespace heddle::detail {

namespace {

/// Protocol: counters that only hand out distinct numbers; relaxed, as they order nothing.
atomic<std::uint64_t> next_local{1};
atomic<std::uint64_t> next_thread{1};

std::uint64_t this_thread_number() noexcept {
    thread_local const std::uint64_t number =
        next_thread.fetch_add(1, std::memory_order_relaxed); // pairs with nothing: see above
    return number;
}

} // namespace

local_table::local_table() noexcept
    : number_(next_local.fetch_add(1, std::memory_order_relaxed)) {} // pairs with nothing

void* local_table::find() {
    std::lock_guard lock(mutex_);
    const auto found = by_thread_.find(this_thread_number());
    if (found == by_thread_.end()) return nullptr;
    cached() = {number_, found->second};
    return found->second;
}

void local_table::insert(void* value) {
    std::lock_guard lock(mutex_);
    in_order_.push_back(value);
    try {
        by_thread_.emplace(this_thread_number(), value);
    } catch (...) {
        in_order_.pop_back();
        throw;
    }
    cached() = {number_, value};
}

std::vector<void*> local_table::all() const {
    std::lock_guard lock(mutex_);
    return in_order_;
}

} // namespace heddle::detail
