#include "courier.hpp"

#include "engine.hpp"
#include "transfer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

namespace heddle::http::detail {

// --- the file ----------------------------------------------------------------------------------

growing_file::~growing_file() {
    if (descriptor_ >= 0) close(descriptor_);
    if (unfinished_) unlink(part().c_str());
}

void growing_file::fail(const char* what) const {
    throw std::system_error(
        errno, std::generic_category(), std::string("http: cannot ") + what + " " + part());
}

void growing_file::open() {
    if (descriptor_ >= 0) return;
    descriptor_ = ::open(part().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail("create");
    unfinished_ = true;
}

void growing_file::append(std::string_view piece) {
    open();
    while (!piece.empty()) {
        const ssize_t written = write(descriptor_, piece.data(), piece.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail("write");
        piece.remove_prefix(static_cast<std::size_t>(written));
    }
}

void growing_file::commit() {
    open(); // also an empty body makes a file
    // Some file systems tell only now that there was no room for what was written.
    if (close(std::exchange(descriptor_, -1)) != 0) fail("finish writing");
    if (rename(part().c_str(), name_.c_str()) != 0) fail("rename");
    unfinished_ = false;
}

// --- the session's side ------------------------------------------------------------------------

namespace {
constexpr std::size_t high_water = 256 * 1024;
} // namespace

courier::~courier() {
    {
        const lock held(mutex_);
        ending_ = true;
        called_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
}

void courier::start() {
    const lock held(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

bool courier::is_this_thread() noexcept {
    const lock held(mutex_);
    return thread_.get_id() == std::this_thread::get_id();
}

void courier::queue(transfer& t) {
    stream& s = *t.flow;
    if (s.queued) return;
    s.queued = true;
    s.next_call = nullptr;
    (last_ ? last_->flow->next_call : first_) = &t;
    last_ = &t;
    called_.notify_one();
}

bool courier::is_full(transfer& t) {
    const lock held(mutex_);
    stream& s = *t.flow;
    s.full = s.filled.size() >= high_water;
    return s.full;
}

void courier::deliver(transfer& t, std::string_view piece) {
    const lock held(mutex_);
    t.flow->filled += piece;
    queue(t);
}

bool courier::take(transfer& t, char* to, std::size_t room, std::size_t& taken) {
    const lock held(mutex_);
    stream& s = *t.flow;
    taken = std::min(room, s.to_send.size() - s.sent);
    std::memcpy(to, s.to_send.data() + s.sent, taken);
    s.sent += taken;
    if (taken > 0 || s.source_ended) return true;
    s.wants_piece = true;
    queue(t);
    return false;
}

std::exception_ptr courier::failure(transfer& t) {
    const lock held(mutex_);
    return t.flow->failure;
}

void courier::end(transfer& t, std::exception_ptr failure) noexcept {
    const lock held(mutex_);
    stream& s = *t.flow;
    if (failure && !s.failure) s.failure = std::move(failure);
    s.over = true;
    queue(t);
}

// --- the courier's side ------------------------------------------------------------------------

void courier::run() {
    lock held(mutex_);
    for (;;) {
        called_.wait(held, [&] { return first_ || ending_; });
        if (!first_) return;
        transfer& t = *first_;
        stream& s = *t.flow;
        first_ = s.next_call;
        if (!first_) last_ = nullptr;
        s.queued = false;
        // If it was called again meanwhile, it is over the next time: nobody calls after end().
        if (!serve(held, t) || s.queued) continue;
        held.unlock();
        finish(t);
        held.lock();
    }
}

/// Does what there is to do; true if the transfer is over.
bool courier::serve(lock& held, transfer& t) {
    stream& s = *t.flow;
    while (!s.failure) {
        if (!s.filled.empty()) hand_over(held, t);
        else if (s.wants_piece && !s.over) fetch(held, t);
        else break;
    }
    return s.over;
}

void courier::hand_over(lock& held, transfer& t) {
    stream& s = *t.flow;
    const std::string piece = std::exchange(s.filled, {});
    const bool resume = std::exchange(s.full, false);
    held.unlock();
    if (resume) t.of.post(t, letter::resumed);
    std::exception_ptr failure;
    try {
        if (t.what.on_body) {
            t.what.on_body(piece);
        } else {
            if (!s.file) s.file = std::make_unique<growing_file>(t.what.save_as);
            s.file->append(piece);
        }
    } catch (...) {
        failure = std::current_exception();
    }
    held.lock();
    if (!failure) return;
    if (!s.failure) s.failure = std::move(failure);
    s.filled.clear();
    if (s.over) return;
    held.unlock();
    t.of.post(t, letter::resumed); // it will see the failure, and abort the transfer
    held.lock();
}

void courier::fetch(lock& held, transfer& t) {
    stream& s = *t.flow;
    held.unlock();
    std::string piece;
    std::exception_ptr failure;
    try {
        piece = t.what.body_source();
    } catch (...) {
        failure = std::current_exception();
    }
    held.lock();
    s.wants_piece = false;
    if (failure && !s.failure) s.failure = std::move(failure);
    s.source_ended = piece.empty();
    s.to_send = std::move(piece);
    s.sent = 0;
    if (s.over) return;
    held.unlock();
    t.of.post(t, letter::resumed);
    held.lock();
}

void courier::finish(transfer& t) {
    stream& s = *t.flow;
    if (!s.failure && !t.what.save_as.empty() && t.incoming && t.incoming->to_sink()) {
        try {
            if (!s.file) s.file = std::make_unique<growing_file>(t.what.save_as);
            s.file->commit();
        } catch (...) {
            s.failure = std::current_exception();
        }
    }
    s.file.reset(); // a file that is not complete goes before anybody is told
    t.of.settle(t, s.failure);
    t.of.post(t, letter::returned);
}

} // namespace heddle::http::detail
