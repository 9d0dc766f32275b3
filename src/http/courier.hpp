/// Bodies that go to, or come from, code that may block; and the thread that runs such code.
#pragma once

#include <heddle/http/message.hpp>

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace heddle::http::detail {

struct transfer;

/// A file under a temporary name until all of it is there.
class growing_file {
public:
    explicit growing_file(std::string name) : name_(std::move(name)) {}
    ~growing_file();
    growing_file(const growing_file&) = delete;
    growing_file& operator=(const growing_file&) = delete;

    /// Both throw std::system_error naming the file.
    void append(std::string_view piece);
    void commit();

private:
    void open();
    [[noreturn]] void fail(const char* what) const;
    std::string part() const { return name_ + ".part"; }

    std::string name_;
    int descriptor_ = -1;
    bool unfinished_ = false; ///< there is a part that is not the file yet
};

/// What lies between the session's thread and the courier for one transfer; guarded by the
/// courier's mutex.
struct stream {
    std::string filled;  ///< for the callback or file
    std::string to_send; ///< from body_source
    std::size_t sent = 0;
    bool full = false;        ///< the server waits for the courier
    bool wants_piece = false; ///< the server waits for body_source
    bool source_ended = false;
    bool over = false;          ///< the session's thread has done its part
    std::exception_ptr failure; ///< what the callback threw; or, when over, the end
    bool queued = false;
    transfer* next_call = nullptr;
    std::unique_ptr<growing_file> file; ///< the courier's own
};

/// The thread that calls on_body and body_source, and writes files; started when first needed.
///
/// A transfer that has been given here by `end` belongs to the courier, which makes its future
/// done and then sends it back by letter::returned. Lifetime: outlives all transfers; the thread
/// is joined by the destructor, which runs elsewhere.
class courier {
public:
    courier() = default;
    ~courier();
    courier(const courier&) = delete;
    courier& operator=(const courier&) = delete;

    // The session's thread.
    /// Starts the thread, if there is none. Throws std::system_error.
    void start();
    /// So much lies here that the server has to wait; letter::resumed tells when not.
    bool is_full(transfer& t);
    /// Adds to what is to be delivered. Throws std::bad_alloc.
    void deliver(transfer& t, std::string_view piece);
    /// Takes up to `room` bytes to be sent, 0 at the end; false if there are none yet:
    /// letter::resumed tells when.
    bool take(transfer& t, char* to, std::size_t room, std::size_t& taken);
    /// What a callback threw, or null.
    std::exception_ptr failure(transfer& t);
    /// All has come, or `failure` has: gives the transfer to the courier.
    void end(transfer& t, std::exception_ptr failure) noexcept;

    bool is_this_thread() noexcept;

private:
    using lock = std::unique_lock<std::mutex>;

    void run();
    bool serve(lock& held, transfer& t);
    void hand_over(lock& held, transfer& t);
    void fetch(lock& held, transfer& t);
    void finish(transfer& t);
    void queue(transfer& t);

    std::mutex mutex_;
    std::condition_variable called_;
    transfer* first_ = nullptr; ///< the queue of those to be served, each once
    transfer* last_ = nullptr;
    bool ending_ = false;
    std::thread thread_;
};

} // namespace heddle::http::detail
