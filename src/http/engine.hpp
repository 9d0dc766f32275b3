/// The session behind `session`: one thread around libcurl's multi interface.
#pragma once

#include "../core/birth.hpp"
#include "../core/context.hpp"
#include "courier.hpp"
#include "curl.hpp"
#include "slots.hpp"
#include "transfer.hpp"

#include <heddle/detail/parking.hpp>
#include <heddle/http/session.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace heddle::http::detail {

/// What a session has been told, as its transfers need it.
struct settings {
    session_options options;
    std::string user_agent;
    string_list plain_fields; ///< most requests have no others
    share_handle shared;      ///< cookies and TLS sessions
};

/// Protocol, proofs and the life of a transfer: README.md beside this file.
///
/// Thread safety: `submit`, `post`, `close` and `settle` from any thread; the rest on its own.
/// Lifetime: shared by the session and by its thread.
class engine final : private heddle::detail::host {
public:
    static std::shared_ptr<engine> start(session_options options);
    ~engine();

    /// Throws as `session::request`.
    future<response> submit(request&& what, const void* call);
    /// Ends everything; returns when the thread has ended, unless that is the caller.
    void close(const std::shared_ptr<engine>& self) noexcept;

    /// Sends a letter about `t` to the session's thread.
    void post(transfer& t, letter kind) noexcept;
    /// Makes the future of `t` done, unless it was cancelled. By whom it belongs to at the moment.
    void settle(transfer& t, const std::exception_ptr& failure) noexcept;

    // For the callbacks of libcurl.
    std::int64_t now() const noexcept { return now_ns_; }
    courier& messenger() noexcept { return courier_; }
    void met(transfer& t) noexcept { slots_.met(t); }

private:
    explicit engine(session_options options);

    // engine.cpp: the thread and its letters
    void run();
    void read_letters();
    void wait();
    void adopt(transfer& t);
    void resume(transfer& t);
    void cancel(transfer& t);
    void take_back(transfer& t);
    void dispose_if_done(transfer& t);
    void close_all();
    bool run_if_pending(heddle::detail::task& t) override;
    bool run_alone(heddle::detail::task& t) override { return run_if_pending(t); }
    void blocking() override {}
    void unblocked() noexcept override {}

    // hops.cpp: from one request over the wire to the next
    void start_ready();
    void begin(transfer& t);
    void collect_ended();
    void ended(transfer& t, CURLcode result);
    void off_the_wire(transfer& t) noexcept;
    void redirect(transfer& t, const std::string& location);
    bool try_again(transfer& t, CURLcode result, bool failed);
    void check_clocks();
    bool sent_more(transfer& t) const;
    void check_clock(transfer& t);
    void set_clock(const transfer& t) noexcept;
    void close_transfer(transfer& t, std::exception_ptr failure) noexcept;
    void look_at(std::int64_t ns) noexcept { next_look_ns_ = std::min(next_look_ns_, ns); }

    static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

    settings settings_;
    const heddle::detail::birth born_;
    multi_handle multi_;
    std::vector<std::unique_ptr<wire>> spare_lines_;
    slots slots_;
    std::vector<transfer*> running_; ///< on the wire
    std::vector<transfer*> resting_; ///< before another attempt
    transfer* first_ = nullptr;      ///< all transfers
    std::int64_t now_ns_ = 0;
    std::int64_t next_look_ns_ = never; ///< when some limit or rest may be over
    courier courier_;

    heddle::detail::light_mutex mutex_;
    struct {
        transfer* first = nullptr;
        transfer* last = nullptr;
    } letters_[letter_kinds]; ///< guarded by mutex_, as all that follows
    std::size_t live_ = 0;    ///< transfers that have not been disposed of
    bool asleep_ = false;     ///< the thread sleeps, or is about to, and must be woken
    bool closing_ = false;
    bool closed_ = false; ///< close_all() has been called; the session's thread only
    std::thread thread_;
};

} // namespace heddle::http::detail
