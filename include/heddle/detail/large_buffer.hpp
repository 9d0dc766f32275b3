/// Large buffers on their way to other processes: each in shared memory of its own, used again.
#pragma once

#include <heddle/detail/shared_memory.hpp>
#include <heddle/detail/wire.hpp>

#include <cstddef>
#include <span>

namespace heddle::detail {

/// Copies `bytes` into shared memory that another process may open by its descriptor; null if the
/// system has none. What the other side has read, and no message of ours refers to any more, is
/// used again: its pages are there already, and fresh ones cost ten times the copying.
shared_descriptor lend_large(std::span<const std::byte> bytes);

/// True if memory waits here to be used again.
bool keeps_large() noexcept;
/// Gives such memory back to the system; pools and workers do so when they have had nothing to do
/// for `large_kept_ms`.
void drop_large() noexcept;
inline constexpr int large_kept_ms = 1000;

/// Tells the system that so much memory is about to be filled: it may then come in large pages,
/// where each fault of a small one costs more than copying what goes into it.
void expect_large(void* memory, std::size_t count) noexcept;

/// What lend_large was given, as it arrives; or bytes that lie somewhere else. Thread safety:
/// none. Lifetime: the lender may use the memory again when this goes.
class large_view {
public:
    explicit large_view(std::span<const std::byte> elsewhere) noexcept : bytes_(elsewhere) {}
    /// @throws heddle::error  there are not `count` bytes. @throws std::system_error
    large_view(shared_descriptor lent, std::size_t count);
    ~large_view();
    large_view(const large_view&) = delete;
    large_view& operator=(const large_view&) = delete;

    const std::byte* data() const noexcept { return bytes_.data(); }
    bool aligned_for(std::size_t alignment) const noexcept {
        return reinterpret_cast<std::uintptr_t>(bytes_.data()) % alignment == 0;
    }

private:
    shared_memory memory_;
    std::span<const std::byte> bytes_;
};

} // namespace heddle::detail
