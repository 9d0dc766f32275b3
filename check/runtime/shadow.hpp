#pragma once
// Shadow memory: for every 8 bytes of the program, the last accesses that nothing has ordered yet.

#include "engine.hpp"

namespace heddle::check::rt {

/// Checks an access against those before it, remembers it, and reports what it finds.
void check_access(u64 address, u64 size, bool write, bool atomic, u64 pc);

/// The range is new: forgets all accesses (allocation, a fresh stack).
void shadow_clear(u64 address, u64 size);

/// The range is gone: the next access is a use after free.
void shadow_free(u64 address, u64 size, u64 pc);

} // namespace heddle::check::rt
