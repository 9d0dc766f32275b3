#pragma once
// What the runtime stands on instead of libc: it must not call anything that it interposes, nor
// anything that takes a lock a suspended thread could hold.

#include "protocol.hpp"

#include <sys/syscall.h>

#include <cerrno>

#define HEDDLE_HOOK extern "C" __attribute__((visibility("default")))

namespace heddle::check::rt {

/// Calls the kernel without errno and without libc's syscall(), which the program's calls reach us
/// by.
inline long
kernel(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
#if defined(__x86_64__)
    long result;
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 asm("x8") = number;
    register long x0 asm("x0") = a;
    register long x1 asm("x1") = b;
    register long x2 asm("x2") = c;
    register long x3 asm("x3") = d;
    register long x4 asm("x4") = e;
    register long x5 asm("x5") = f;
    asm volatile("svc #0"
                 : "+r"(x0)
                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                 : "memory");
    return x0;
#else
#error "the race finder knows the system calls of x86-64 and aarch64"
#endif
}

template <class Pointer>
long as_long(Pointer p) {
    return reinterpret_cast<long>(p);
}

inline u64 address_of(const volatile void* p) {
    return reinterpret_cast<u64>(p);
}

/// Ends the process at once with a message: for what must not happen.
[[noreturn]] void panic(const char* what);

/// Fresh zeroed pages; address space only until they are touched. Never returns null.
void* map_pages(std::size_t bytes);

/// Zeroed memory that lives as long as the process. Only the thread whose turn it is may call it.
void* arena_alloc(std::size_t bytes);

template <class T>
T* arena_new() {
    return static_cast<T*>(arena_alloc(sizeof(T))); // all-zero is every T's first state
}

template <class T>
T* arena_array(std::size_t n) {
    return static_cast<T*>(arena_alloc(n * sizeof(T)));
}

inline u64 mix(u64 x) { // the finaliser of splitmix64
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9;
    x ^= x >> 27;
    x *= 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

inline u64 combine(u64 a, u64 b) {
    return mix(a * 0x9e3779b97f4a7c15 + b + 1);
}

/// Address -> T, open addressing; entries stay until erased, T must be fine as all zeroes.
template <class T>
class address_map {
public:
    T* find(u64 key) const {
        if (count_ == 0) return nullptr;
        for (u64 i = mix(key);; ++i) {
            const slot& s = slots_[i & mask_];
            if (s.key == key) return s.value;
            if (s.key == 0) return nullptr;
        }
    }

    T& at(u64 key) {
        if (T* there = find(key)) return *there;
        if ((count_ + 1) * 2 > capacity_) grow();
        T* fresh = arena_new<T>();
        place(key, fresh);
        return *fresh;
    }

    /// Forgets the object; its memory is not used again (runs are short).
    void reset(u64 key) {
        for (u64 i = mix(key); count_ != 0; ++i) {
            slot& s = slots_[i & mask_];
            if (s.key == key) s.value = arena_new<T>();
            if (s.key == key || s.key == 0) return;
        }
    }

    template <class F>
    void each(F&& f) const {
        for (u64 i = 0; i < capacity_; ++i)
            if (slots_[i].key != 0) f(slots_[i].key, *slots_[i].value);
    }

private:
    struct slot {
        u64 key;
        T* value;
    };

    void place(u64 key, T* value) {
        u64 i = mix(key);
        while (slots_[i & mask_].key != 0) ++i;
        slots_[i & mask_] = {key, value};
        ++count_;
    }

    void grow() {
        slot* old = slots_;
        const u64 before = capacity_;
        capacity_ = before == 0 ? 64 : before * 2;
        mask_ = capacity_ - 1;
        slots_ = arena_array<slot>(capacity_);
        count_ = 0;
        for (u64 i = 0; i < before; ++i)
            if (old[i].key != 0) place(old[i].key, old[i].value);
    }

    slot* slots_;
    u64 capacity_, mask_, count_;
};

} // namespace heddle::check::rt
