/// The bytes that travel between processes, and the descriptors that travel with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

namespace heddle::detail {

/// An open file descriptor, closed with the last reference to it.
class descriptor {
public:
    descriptor() noexcept = default;
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        descriptor taken(std::move(other));
        std::swap(fd_, taken.fd_);
        return *this;
    }
    ~descriptor();
    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }

private:
    int fd_ = -1;
};

using shared_descriptor = std::shared_ptr<const descriptor>;

/// What each frame begins with. Both ends are the same program on the same machine, so numbers
/// travel as they lie in memory.
struct frame_header {
    std::uint64_t length = 0;       ///< of the body, in bytes
    std::uint16_t kind = 0;         ///< a frame_kind
    std::uint16_t descriptors = 0;  ///< how many travel with it
    std::uint32_t microseconds = 0; ///< how long the task took, in its result
    std::uint64_t id = 0;           ///< the number of the call, if it is about one
};

/// One frame to be sent: room for its header, the body, the descriptors. Grows without filling
/// what it grows by with zeros, and keeps what is written in one piece.
class message {
public:
    message() noexcept = default;
    message(message&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)),
          capacity_(std::exchange(other.capacity_, 0)),
          descriptors_(std::move(other.descriptors_)) {}
    message& operator=(message&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        std::swap(descriptors_, other.descriptors_);
        return *this;
    }
    ~message();

    /// Adds bytes to the body. @throws std::bad_alloc  what was there stays.
    void append(const void* bytes, std::size_t count) {
        if (count == 0) return;
        __builtin_memcpy(extend(count), bytes, count);
    }
    template <class T>
    void append_value(const T& value) {
        append(&value, sizeof value);
    }
    /// Overwrites what was appended when `end().size` was `at`.
    template <class T>
    void replace(std::size_t at, const T& value) {
        __builtin_memcpy(data_ + (at == 0 ? sizeof(frame_header) : at), &value, sizeof value);
    }
    /// Adds bytes by way of a descriptor of their own, if `apart`, there is room for one and the
    /// system has one; else as they are. Is read by take_large.
    void append_large(const void* bytes, std::size_t count, bool apart);
    /// Makes the body longer by `count` bytes and returns where they begin.
    std::byte* extend(std::size_t count) {
        const std::size_t begin = size_ == 0 ? sizeof(frame_header) : size_;
        if (count > capacity_ - begin || capacity_ < begin) grow(begin, count);
        size_ = begin + count;
        return data_ + begin;
    }
    /// Sends `fd` along; returns its place among the descriptors of this frame.
    std::uint32_t attach(shared_descriptor fd);
    /// Fills in the header; the body is complete.
    void seal(std::uint16_t kind, std::uint64_t id, std::uint32_t microseconds = 0);
    /// Where the next byte and the next descriptor go.
    struct position {
        std::size_t size = 0, descriptors = 0;
    };
    position end() const noexcept { return {size_, descriptors_.size()}; }
    /// Takes away all that was added since `from`.
    void cut(position from) noexcept {
        size_ = from.size;
        descriptors_.resize(from.descriptors);
    }

    /// Header and body, as they are sent.
    std::span<const std::byte> frame() const noexcept { return {data_, size_}; }
    std::span<const std::byte> body() const noexcept {
        return frame().subspan(size_ == 0 ? 0 : sizeof(frame_header));
    }
    const std::vector<shared_descriptor>& descriptors() const noexcept { return descriptors_; }

private:
    void grow(std::size_t begin, std::size_t count);

    std::byte* data_ = nullptr;
    std::size_t size_ = 0, capacity_ = 0;
    std::vector<shared_descriptor> descriptors_;
};

/// Throws std::invalid_argument: a handle of shared memory was put into an mp::queue.
[[noreturn]] void throw_cannot_attach();

class large_view;

/// A frame that has arrived, read from front to back.
class reader {
public:
    reader() noexcept = default;
    reader(frame_header head, std::unique_ptr<std::byte[]> body, std::vector<shared_descriptor> fds)
        : head_(head), body_(std::move(body)), descriptors_(std::move(fds)) {}

    const frame_header& head() const noexcept { return head_; }
    std::size_t left() const noexcept { return head_.length - at_; }
    /// Takes the next bytes. @throws heddle::error  there are not so many; nothing was taken.
    void take(void* into, std::size_t count) {
        if (count > left()) throw_too_short(count);
        if (count != 0) __builtin_memcpy(into, body_.get() + at_, count);
        at_ += count;
    }
    template <class T>
    T take_value() {
        T value{};
        take(&value, sizeof value);
        return value;
    }
    /// Takes what append_large added. @throws heddle::error  it is not all there.
    /// What is returned must not outlive this reader.
    large_view take_large(std::size_t count);
    /// Takes all that is left.
    std::span<const std::byte> rest() noexcept {
        return {body_.get() + std::exchange(at_, head_.length), head_.length - at_};
    }
    /// Returns the descriptor with this place. @throws heddle::error  there is none.
    shared_descriptor descriptor_at(std::uint32_t place) const;

private:
    [[noreturn]] void throw_too_short(std::size_t count) const;

    frame_header head_;
    std::unique_ptr<std::byte[]> body_;
    std::vector<shared_descriptor> descriptors_;
    std::size_t at_ = 0;
};

/// A function by the module that it lies in and its offset there: means the same in every process
/// that runs this program, wherever the system has put its modules.
struct function_ref {
    std::uint32_t module = none; ///< a number that this process gave the module
    std::uint64_t offset = 0;
    static constexpr std::uint32_t none = 0xffffffff;
};

/// Names a function. @throws std::invalid_argument  the address lies in no loaded module (code
/// made at run time).
function_ref name_function(const void* address);
/// The function that another process named. @throws heddle::error  its module is not here.
const void* find_function(function_ref named);

/// What a worker calls to run a call: takes the arguments, adds the result to `to`. What it throws
/// is the call's failure.
using trampoline = void (*)(reader& from, message& to, const std::stop_token& stop);

/// Adds the current exception to a message: its type, its text, and its code if it has one.
void encode_failure(message& to);
/// The exception that was encoded: a standard type as itself, anything else as remote_error.
std::exception_ptr decode_failure(reader& from);

} // namespace heddle::detail
