/// Whose turn it is: at most so many requests to one server, and so many in all.
#pragma once

#include "url.hpp"

#include <cstddef>
#include <deque>
#include <unordered_map>

namespace heddle::http::detail {

struct transfer;

/// The requests to one server.
struct server {
    int active = 0; ///< may run, or do
    /// Over TLS, whether it speaks HTTP/2 is not known until a connection stands. Until then one
    /// request goes ahead, so that the others do not open connections that nobody needs.
    bool met = false;
    std::deque<transfer*> waiting;
};

/// First come, first served, within a server and among servers.
///
/// libcurl has such limits too, but where one server's are used up it lets requests to others wait
/// behind them. Thread safety: none. Lifetime: refers to transfers from `ask` to `leave`.
class slots {
public:
    explicit slots(int most_per_server) : most_(most_per_server) {}

    static constexpr std::size_t most_in_all = 256; ///< libcurl's work grows with their number

    /// Queues `t`. Throws std::bad_alloc, unchanged.
    void ask(transfer& t);
    /// Returns one that may start now, or null.
    transfer* next() noexcept;
    bool has_next() const noexcept { return running_ < most_in_all && !ready_.empty(); }
    /// Its server has answered the first knock.
    void met(transfer& t) noexcept;
    /// It has ended, or waits no longer.
    void leave(transfer& t) noexcept;

private:
    void promote(server& s) noexcept;

    int most_;
    std::size_t running_ = 0;
    std::unordered_map<origin, server, hash_of_origin> servers_;
    std::deque<transfer*> ready_; ///< counted as active by their server
};

} // namespace heddle::http::detail
