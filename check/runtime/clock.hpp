#pragma once
// Vector clocks: who is known to have happened before whom.

#include "base.hpp"

namespace heddle::check::rt {

class vector_clock {
public:
    u32 get(u32 thread) const { return thread < size_ ? at_[thread] : 0; }

    void set(u32 thread, u32 time) {
        if (thread >= size_) grow(thread + 1);
        at_[thread] = time;
    }

    void join(const vector_clock& other) {
        if (other.size_ > size_) grow(other.size_);
        for (u32 i = 0; i < other.size_; ++i)
            if (other.at_[i] > at_[i]) at_[i] = other.at_[i];
    }

    void assign(const vector_clock& other) {
        if (other.size_ > size_) grow(other.size_);
        for (u32 i = 0; i < other.size_; ++i) at_[i] = other.at_[i];
        for (u32 i = other.size_; i < size_; ++i) at_[i] = 0;
    }

    void clear() {
        for (u32 i = 0; i < size_; ++i) at_[i] = 0;
    }

private:
    void grow(u32 wanted) {
        u32 capacity = capacity_ == 0 ? 4 : capacity_;
        while (capacity < wanted) capacity *= 2;
        if (capacity > capacity_) {
            u32* fresh = arena_array<u32>(capacity);
            for (u32 i = 0; i < size_; ++i) fresh[i] = at_[i];
            at_ = fresh;
            capacity_ = capacity;
        }
        size_ = wanted; // what lies between was zeroed by the arena or by clear()
    }

    u32* at_;
    u32 size_, capacity_;
};

} // namespace heddle::check::rt
