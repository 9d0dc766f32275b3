/// Memory for task objects: small cells, cached by thread, handed across threads in magazines.
#pragma once

#include <cstddef>

namespace heddle::detail {

/// Returns `size` bytes aligned to `alignment`. Throws std::bad_alloc.
///
/// Up to 256 bytes come from a cell of 64, 128 or 256 bytes: about 2 ns, and one lock for every
/// 64 cells, also where one thread allocates and another frees. Larger ones come from the heap.
/// Cells are kept for reuse and never given back to the system, as in most allocators.
void* slab_allocate(std::size_t size, std::size_t alignment);

/// Gives back what slab_allocate(size, alignment) returned, on any thread. Never throws.
void slab_free(void* memory, std::size_t size, std::size_t alignment) noexcept;

} // namespace heddle::detail
