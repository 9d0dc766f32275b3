/// Frames on a socket: put together from what arrives, and written without blocking.
#pragma once

#include <heddle/detail/wire.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace heddle::detail {

/// Every frame says what it is. See README.md for who sends what, when.
enum class frame_kind : std::uint16_t {
    configure = 1, ///< pool → worker, first: version, build, limits, initializer
    module,        ///< pool → worker: the number of a module from now on
    call,          ///< pool → worker
    ready,         ///< worker → pool: set up, and gives its version
    refused,       ///< worker → pool: cannot work at all, and why
    ended,         ///< worker → pool: its result or failure, if it is too large for a slot
    passed,        ///< worker → pool: look at the slots; so many of them are behind me
    last           ///< one past the end
};
constexpr std::uint32_t wire_version = 1;

/// Puts frames together from a socket. A length is never believed: memory grows with what has
/// really arrived.
class frame_source {
public:
    /// Reads once what there is; false at the end of the stream or on an error of the socket.
    /// With `wait` blocks until there is something. @throws error  what arrived is no frame.
    bool pump(int socket, bool wait);
    /// Takes the next complete frame.
    std::optional<reader> next();
    /// How many are complete.
    std::size_t count() const noexcept { return frames_.size(); }

private:
    void take_head();
    void grow_body(std::size_t wanted);
    void finish_body();
    void consume(const std::byte* bytes, std::size_t count);

    std::unique_ptr<std::byte[]> stage_;
    std::size_t head_size_ = 0; ///< how much of head_ has arrived
    frame_header head_;
    std::unique_ptr<std::byte[]> body_;
    std::size_t body_size_ = 0, body_capacity_ = 0;
    std::deque<shared_descriptor> descriptors_; ///< arrived, and not yet part of a frame
    std::deque<reader> frames_;
};

using shared_message = std::shared_ptr<const message>;

/// Frames on their way into a socket.
class frame_sink {
public:
    void add(shared_message frame) { waiting_.push_back(std::move(frame)); }
    bool empty() const noexcept { return waiting_.empty(); }
    /// Writes as much as the socket takes; with `wait` all of it. False if the peer is gone.
    bool flush(int socket, bool wait);

private:
    std::deque<shared_message> waiting_;
    std::size_t sent_ = 0; ///< of the first one
};

/// A frame of `kind` with nothing in it but what `fill` adds.
template <class Fill>
shared_message make_frame(frame_kind kind, std::uint64_t id, Fill fill) {
    message made;
    fill(made);
    made.seal(static_cast<std::uint16_t>(kind), id);
    return std::make_shared<const message>(std::move(made));
}
inline shared_message make_frame(frame_kind kind, std::uint64_t id) {
    return make_frame(kind, id, [](message&) {});
}

void append_text(message& to, const std::string& text);
std::string take_text(reader& from);

} // namespace heddle::detail
