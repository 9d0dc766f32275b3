/// `http::session`: requests of many threads and coroutines, over connections that are kept.
#pragma once

#include <heddle/future.hpp>
#include <heddle/http/error.hpp>
#include <heddle/http/message.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace heddle::http {

namespace detail {
class engine;
}

/// How a `session` is built. A limit in time that is zero or less is the shortest there is, 1 ms;
/// what is left empty is not limited.
struct session_options {
    /// From the moment a request gets its turn (see max_connections_per_host) to the last byte,
    /// redirects included.
    std::optional<duration> timeout = std::chrono::minutes(5);
    /// To find the host, connect and agree on TLS.
    std::optional<duration> connect_timeout = std::chrono::seconds(10);
    /// Without a single byte to or from the server, whose time to think counts.
    std::optional<duration> stall_timeout = std::chrono::seconds(30);
    /// 1 or more: so many requests to one host and port are under way at once, over at most as
    /// many connections; the others wait their turn, first come first served.
    int max_connections_per_host = 16;
    /// A larger body, decoded, fails; what goes to `on_body` or `save_as` is not limited.
    std::size_t max_body_bytes = std::size_t{256} << 20;
    /// 0: a redirect is not followed but is the response.
    int max_redirects = 10;
    header_list headers = {};              ///< sent with each request
    std::string user_agent = {};           ///< empty: "heddle/VERSION"
    bool verify_tls = true;                ///< false: anybody may pose as the server
    std::string ca_file = {};              ///< PEM certificates to trust; empty: the system's
    std::optional<std::string> proxy = {}; ///< "http://host:3128"; "": none; unset: as the
                                           ///< environment says (https_proxy, no_proxy, …) when
                                           ///< the session is made
    bool cookies = true;                   ///< keep cookies, for as long as the session lives
};

/// A client that keeps its connections, cookies and TLS sessions; share one in the whole program.
///
/// Speaks HTTP/1.1 and, over TLS, HTTP/2. Verifies certificates. Asks for gzip and undoes it.
/// Follows redirects, but not from https to http nor to anything else; credentials (Authorization,
/// Cookie) are not taken to another host. A response of any status is a value:
/// `raise_for_status` makes an exception of 400 and more. All else fails the future with an error
/// that derives from `request_error`.
///
/// One thread a session moves all bytes. Done-callbacks run there: they must be quick, and use
/// `then(pool, f)` for what is not; one that waits for a request of the same session gets
/// `would_deadlock_error`. `cancel()` and `request_stop()` of the future abort the transfer at
/// once; so do a coroutine's cancellation and time limit.
///
/// Example:
///     heddle::http::session session({.timeout = 10s, .max_connections_per_host = 8});
///     std::vector<heddle::future<heddle::http::response>> pages;
///     for (const std::string& url : urls) pages.push_back(session.get(url));
///     for (auto page : heddle::as_completed(pages)) heddle::print(page.result().url);
///     auto one = co_await session.get(urls[0]); // in an aio::task
///
/// Thread safety: any member from any thread, without a lock. Lifetime: the destructor aborts what
/// is under way, whose futures fail with `session_closed_error`, and joins its threads; futures
/// outlive it. In a forked child the session does not exist: using it throws `forked_error`.
class session {
public:
    /// Starts a session with default options. Throws std::system_error if no thread can be started.
    session();
    /// Starts a session.
    /// @throws std::invalid_argument  an option is out of its range; the text says which.
    explicit session(session_options options);
    ~session();
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    /// Starts a GET of `url`. Never blocks. Cost: about 2 µs here, 15 µs on the session's thread.
    /// @throws std::invalid_argument  the URL cannot be valid; nothing has been sent.
    /// @throws forked_error  see the class.
    [[nodiscard]] future<response> get(std::string url);
    /// Starts any request. Never blocks. Errors as above.
    /// @throws std::invalid_argument  also for a header that cannot be sent, a method that is no
    /// word, a body where there can be none, and `retry` for a method that may not be repeated.
    [[nodiscard]] future<response> request(http::request what);

private:
    std::shared_ptr<detail::engine> engine_;
};

} // namespace heddle::http
