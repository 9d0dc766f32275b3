#pragma once
// The program's heap: freed blocks are kept aside (quarantine) so that a use after free is seen.

#include "engine.hpp"

namespace heddle::check::rt {

void* heap_allocate(std::size_t size, std::size_t alignment, u64 pc);
void heap_free(void* block, u64 pc);
std::size_t heap_size(const void* block);

inline bool in_heap(u64 address) {
    return address - g.heap_begin < g.heap_size;
}

/// Fills in `o` when `address` lies in a block, freed or not.
bool describe_block(u64 address, object& o);

/// A number for the place where the block of `address` was made, or freed; the same in every run.
u64 block_key(u64 address);

/// Who freed the block that `address` lies in.
void describe_free(u64 address, access& a);

} // namespace heddle::check::rt
