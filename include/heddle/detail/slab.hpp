/// Memory for task objects: small cells, cached by thread, handed across threads in magazines.
#pragma once

#include <bit>
#include <cstddef>
#include <new>

namespace heddle::detail {

/// The sizes of cells: 64, 128 and 256 bytes, each aligned to 64.
inline constexpr std::size_t smallest_cell = 64, cell_sizes = 3;

/// A cell of size number `index` for `size` bytes. Throws std::bad_alloc.
void* take_cell(std::size_t index, std::size_t size);
/// Gives back what take_cell(index, …) returned, on any thread.
void give_cell(void* cell, std::size_t index) noexcept;

/// True if such an object fits a cell; the number of the smallest size that it fits. Known when the
/// caller is compiled, so that no instruction is spent on it.
constexpr bool fits_cell(std::size_t size, std::size_t alignment) noexcept {
    return size <= smallest_cell << (cell_sizes - 1) && alignment <= smallest_cell;
}
constexpr std::size_t cell_index(std::size_t size) noexcept {
    return size <= smallest_cell
               ? 0
               : static_cast<std::size_t>(std::bit_width((size - 1) / smallest_cell));
}

/// Returns `size` bytes aligned to `alignment`. Throws std::bad_alloc.
///
/// Up to 256 bytes come from a cell of 64, 128 or 256 bytes: about 2 ns, and one lock for every
/// 64 cells, also where one thread allocates and another frees. Larger ones come from the heap.
/// Cells are kept for reuse and never given back to the system, as in most allocators.
inline void* slab_allocate(std::size_t size, std::size_t alignment) {
    return fits_cell(size, alignment) ? take_cell(cell_index(size), size)
                                      : ::operator new(size, std::align_val_t{alignment});
}

/// Gives back what slab_allocate(size, alignment) returned, on any thread. Never throws.
inline void slab_free(void* memory, std::size_t size, std::size_t alignment) noexcept {
    if (fits_cell(size, alignment)) give_cell(memory, cell_index(size));
    else ::operator delete(memory, std::align_val_t{alignment});
}

} // namespace heddle::detail
