#include "frame.hpp"

#include <heddle/detail/large_buffer.hpp>
#include <heddle/error.hpp>

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

namespace heddle::detail {

namespace {
constexpr std::size_t stage_size = 64 * 1024;
constexpr std::uint64_t longest_frame = std::uint64_t{1} << 46;
constexpr std::size_t most_descriptors = 253; // the kernel's SCM_MAX_FD
constexpr int frames_a_write = 32;
constexpr std::size_t most_apart = 64; // buffers a message; leaves descriptors for handles
} // namespace

descriptor::~descriptor() {
    if (fd_ >= 0) close(fd_);
}

message::~message() {
    std::free(data_);
}

void message::grow(std::size_t begin, std::size_t count) {
    const std::size_t wanted = std::max({begin + count, capacity_ * 2, std::size_t{128}});
    if (wanted < count) throw std::bad_alloc();
    void* const bigger = std::realloc(data_, wanted);
    if (!bigger) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(bigger);
    capacity_ = wanted;
}

std::uint32_t message::attach(shared_descriptor fd) {
    if (descriptors_.size() == most_descriptors) {
        throw error("a call cannot carry more than 253 queues and shared values");
    }
    descriptors_.push_back(std::move(fd));
    return static_cast<std::uint32_t>(descriptors_.size() - 1);
}

void message::seal(std::uint16_t kind, std::uint64_t id, std::uint32_t microseconds) {
    extend(0);
    frame_header head;
    head.length = size_ - sizeof head;
    head.kind = kind;
    head.descriptors = static_cast<std::uint16_t>(descriptors_.size());
    head.microseconds = microseconds;
    head.id = id;
    std::memcpy(data_, &head, sizeof head);
}

shared_descriptor reader::descriptor_at(std::uint32_t place) const {
    if (place >= descriptors_.size()) throw error("the frame carries no such descriptor");
    return descriptors_[place];
}

void reader::throw_too_short(std::size_t count) const {
    throw error("the other process sent " + std::to_string(left()) + " bytes where " +
                std::to_string(count) + " were expected; save and load of a type differ");
}

void throw_cannot_attach() {
    throw std::invalid_argument("mp::queue: a handle of shared memory cannot be put into a queue; "
                                "pass it to the process as an argument");
}

void message::append_large(const void* bytes, std::size_t count, bool apart) {
    shared_descriptor file;
    if (apart && descriptors_.size() < most_apart) {
        file = lend_large({static_cast<const std::byte*>(bytes), count});
    }
    append_value(file != nullptr);
    if (file) append_value(attach(std::move(file)));
    else append(bytes, count);
}

large_view reader::take_large(std::size_t count) {
    if (take_value<bool>()) return {descriptor_at(take_value<std::uint32_t>()), count};
    if (count > left()) throw_too_short(count);
    const std::byte* const here = body_.get() + at_;
    at_ += count;
    return large_view({here, count});
}

void append_text(message& to, const std::string& text) {
    to.append_value(static_cast<std::uint64_t>(text.size()));
    to.append(text.data(), text.size());
}

std::string take_text(reader& from) {
    const auto size = from.take_value<std::uint64_t>();
    if (size > from.left()) throw error("a text is longer than its frame");
    std::string text(size, '\0');
    from.take(text.data(), text.size());
    return text;
}

// --- reading ------------------------------------------------------------------------------------

bool frame_source::pump(int socket, bool wait) {
    // The rest of a large body goes where it belongs at once, everything else through the stage.
    const bool direct = head_size_ == sizeof head_ && head_.length - body_size_ >= stage_size;
    iovec part{};
    if (direct) {
        grow_body(body_size_ + stage_size);
        part = {body_.get() + body_size_, body_capacity_ - body_size_};
    } else {
        if (!stage_) stage_ = std::make_unique_for_overwrite<std::byte[]>(stage_size);
        part = {stage_.get(), stage_size};
    }
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * most_descriptors)> control;
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ssize_t got = 0;
    do {
        got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (got < 0 && errno == EINTR);
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int)) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
            descriptors_.push_back(std::make_shared<const descriptor>(fd));
        }
    }
    if (got == 0) return false;
    const auto count = static_cast<std::size_t>(got);
    if (direct) {
        body_size_ += count;
        if (body_size_ == head_.length) finish_body();
    } else {
        consume(stage_.get(), count);
    }
    return true;
}

void frame_source::consume(const std::byte* bytes, std::size_t count) {
    while (count > 0) {
        if (head_size_ < sizeof head_) {
            const std::size_t take = std::min(count, sizeof head_ - head_size_);
            std::memcpy(reinterpret_cast<std::byte*>(&head_) + head_size_, bytes, take);
            head_size_ += take;
            bytes += take;
            count -= take;
            if (head_size_ == sizeof head_) take_head();
            continue;
        }
        const std::size_t take = std::min<std::size_t>(count, head_.length - body_size_);
        grow_body(body_size_ + take);
        std::memcpy(body_.get() + body_size_, bytes, take);
        body_size_ += take;
        bytes += take;
        count -= take;
        if (body_size_ == head_.length) finish_body();
    }
}

void frame_source::take_head() {
    const bool known = head_.kind >= static_cast<std::uint16_t>(frame_kind::configure) &&
                       head_.kind < static_cast<std::uint16_t>(frame_kind::last);
    if (!known || head_.length > longest_frame || head_.descriptors > most_descriptors) {
        throw error("what arrived is no frame of Heddle's protocol: something else wrote to the "
                    "worker's descriptor 3");
    }
    if (head_.length == 0) finish_body();
}

void frame_source::grow_body(std::size_t wanted) {
    if (wanted <= body_capacity_) return;
    // At most twice what has arrived, whatever the length says; exactly that if it is small.
    const std::size_t most = std::max(wanted, 2 * body_size_ + stage_size);
    const std::size_t size = std::min<std::size_t>(most, head_.length);
    auto bigger = std::make_unique_for_overwrite<std::byte[]>(size);
    if (body_size_ != 0) std::memcpy(bigger.get(), body_.get(), body_size_);
    body_ = std::move(bigger);
    body_capacity_ = size;
}

void frame_source::finish_body() {
    if (descriptors_.size() < head_.descriptors) {
        throw error("a frame came without the descriptors that it announced");
    }
    const auto end = descriptors_.begin() + head_.descriptors;
    std::vector<shared_descriptor> own(descriptors_.begin(), end);
    descriptors_.erase(descriptors_.begin(), end);
    frames_.emplace_back(head_, std::move(body_), std::move(own));
    head_size_ = 0;
    body_size_ = body_capacity_ = 0;
}

std::optional<reader> frame_source::next() {
    if (frames_.empty()) return std::nullopt;
    std::optional<reader> first(std::move(frames_.front()));
    frames_.pop_front();
    return first;
}

// --- writing ------------------------------------------------------------------------------------

bool frame_sink::flush(int socket, bool wait) {
    while (!waiting_.empty()) {
        std::array<iovec, frames_a_write> parts{};
        std::size_t used = 0;
        for (const shared_message& each : waiting_) {
            // Descriptors go with the first byte of their frame, so a frame that has some begins a
            // write.
            if (used == parts.size() || (used > 0 && !each->descriptors().empty())) break;
            const auto bytes = each->frame().subspan(used == 0 ? sent_ : 0);
            parts[used++] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
        }
        msghdr header{};
        header.msg_iov = parts.data();
        header.msg_iovlen = used;
        alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * most_descriptors)> control;
        const auto& fds = waiting_.front()->descriptors();
        if (sent_ == 0 && !fds.empty()) {
            header.msg_control = control.data();
            header.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
            std::memset(control.data(), 0, header.msg_controllen);
            cmsghdr* const c = CMSG_FIRSTHDR(&header);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
            for (std::size_t i = 0; i < fds.size(); ++i) {
                const int fd = fds[i]->get();
                std::memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
            }
        }
        const ssize_t put = sendmsg(socket, &header, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
        sent_ += static_cast<std::size_t>(put);
        while (!waiting_.empty() && sent_ >= waiting_.front()->frame().size()) {
            sent_ -= waiting_.front()->frame().size();
            waiting_.pop_front();
        }
    }
    return true;
}

} // namespace heddle::detail
