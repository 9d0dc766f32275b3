#pragma once
// Accesses by more than one instruction.

#include "base.hpp"

namespace heddle::check::rt {

/// The program's code at `pc` accesses a range of memory: a scheduling point, as any access may be.
/// `inside`: the function of a library that does it, for the story.
void access_range(const void* p, std::size_t size, bool write, u64 pc, u64 inside = 0);

/// A function of the C library does so for its caller at `pc`. No scheduling point unless that is
/// the program itself: the C++ library may hold a lock of its own.
void access_for(const void* p, std::size_t size, bool write, u64 pc);

} // namespace heddle::check::rt
