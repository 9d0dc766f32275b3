/// Anonymous memory that processes share, and what holds a shared value or queue together.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/detail/wire.hpp>
#include <heddle/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace heddle::detail {

/// Anonymous shared memory, mapped here; unmapped when it goes. The system frees it with the last
/// process that has it, however that one ends.
class shared_memory {
public:
    shared_memory() noexcept = default;
    /// Makes `size` bytes of zeros. @throws std::system_error
    explicit shared_memory(std::size_t size);
    /// Maps what another process has made, with `now` all its pages at once, which is cheaper than
    /// a fault for each. @throws std::system_error
    explicit shared_memory(shared_descriptor made, bool now = false);
    shared_memory(shared_memory&& other) noexcept;
    shared_memory& operator=(shared_memory&& other) noexcept;
    ~shared_memory();
    std::byte* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    const shared_descriptor& file() const noexcept { return file_; }

private:
    void map(bool now);
    shared_descriptor file_;
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Throws std::invalid_argument if `count` objects are more than fit, as a negative number does.
std::size_t checked_size(std::size_t count, std::size_t each);

/// The memory behind an `mp::shared_value`: a lock, and two copies of the value, one of which
/// counts. A change is made to the other one, which counts from `publish` on, so a holder that
/// dies or throws in the middle has changed nothing.
///
/// Thread safety: an access excludes all others, in any process. Lifetime: must outlive them.
class shared_cell {
public:
    static constexpr std::size_t most_aligned = 64;

    shared_cell(std::size_t value_size, const void* initial);
    shared_cell(std::size_t value_size, shared_descriptor made);
    const shared_descriptor& file() const noexcept { return memory_.file(); }

    /// Holds the lock for as long as it lives.
    class access {
    public:
        /// @throws would_deadlock_error  this thread has an access already.
        explicit access(const shared_cell& to);
        ~access();
        access(const access&) = delete;
        access& operator=(const access&) = delete;
        void* value() const noexcept;
        /// A copy of the value, to be changed.
        void* draft() const noexcept;
        /// Makes the draft the value.
        void publish() noexcept;

    private:
        const shared_cell& cell_;
    };

private:
    struct control;
    control& head() const noexcept;
    void* slot(std::uint32_t index) const noexcept;

    shared_memory memory_;
    std::size_t value_size_;
};

/// The memory behind an `mp::queue`, which holds items as bytes. src/process/README.md has the
/// protocol, and why an item is never seen by half.
///
/// Thread safety: all members may be called from any thread of any process. Lifetime: no thread
/// may be inside a call when it is destroyed; the memory lives as long as any process has it.
class shared_queue {
public:
    /// @param item_size  of every item; 0 if they differ.
    shared_queue(std::size_t capacity, std::size_t item_size);
    explicit shared_queue(shared_descriptor made);
    ~shared_queue();
    shared_queue(const shared_queue&) = delete;
    shared_queue& operator=(const shared_queue&) = delete;
    const shared_descriptor& file() const noexcept { return control_.file(); }

    /// False if the deadline passed before there was room. @throws queue_shut_down_error
    bool put(std::span<const std::byte> item, deadline limit);
    enum class taken { item, nothing, ended };
    /// Takes an item of known size.
    taken get(void* into, std::size_t size, deadline limit);
    /// Takes an item of any size.
    taken get(reader& into, deadline limit);

    void task_done();
    void task_done_quietly() noexcept;
    void join();
    void shutdown(bool drop);
    std::size_t size() const noexcept;
    std::size_t capacity() const noexcept;
    bool full() const noexcept;
    [[noreturn]] static void throw_shut_down(const char* verb);

private:
    struct control;
    struct block;
    class access;

    control& head() const noexcept;
    block& at(std::uint32_t index);
    std::uint32_t take_block(access& held);
    void free_blocks(std::uint32_t first) noexcept;
    std::uint32_t store(access& held, std::span<const std::byte> item);
    template <class Room>
    taken take(deadline limit, Room room);
    void repair() noexcept;
    bool finish_one(access& held);

    static constexpr std::size_t most_segments = 40;

    shared_memory control_;
    /// Where this process has mapped what the queue has grown by; used under the queue's lock.
    std::array<std::byte*, most_segments> segments_{};
};

} // namespace heddle::detail
