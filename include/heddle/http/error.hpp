/// What can become of a request other than a response.
#pragma once

#include <heddle/error.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace heddle::http {

/// The base of every failure of a request. The text names the URL, what happened, and a remedy.
class request_error : public error {
public:
    /// Keeps the URL of the request that failed and the whole text.
    request_error(std::string url, const std::string& what) : error(what), url_(std::move(url)) {}

    /// Returns the URL that was being fetched: after a redirect, the one that it led to.
    const std::string& url() const noexcept { return url_; }

private:
    std::string url_;
};

/// The server, or the proxy, could not be reached: no such name, refused, no route.
class connect_error : public request_error {
public:
    using request_error::request_error;
};

/// A time limit of the session or the request has passed; the transfer has been aborted.
///
/// It is not a `heddle::timeout_error`, which is the limit of a wait: the two are told apart.
class timeout_error : public request_error {
public:
    /// `phase` is a string literal.
    timeout_error(std::string url, const std::string& what, std::string_view phase)
        : request_error(std::move(url), what), phase_(phase) {}

    /// Returns which limit it was: "connect", "total" or "stalled".
    std::string_view phase() const noexcept { return phase_; }

private:
    std::string_view phase_;
};

/// TLS failed: the certificate is not trusted or names another host, or no version is shared.
class tls_error : public request_error {
public:
    using request_error::request_error;
};

/// A redirect that is not followed: too many, a circle, or to where it must not lead. The text
/// lists the whole chain.
class redirect_error : public request_error {
public:
    using request_error::request_error;
};

/// The answer is no proper HTTP: malformed, cut off (also a compressed body), or never came.
class protocol_error : public request_error {
public:
    using request_error::request_error;
};

/// The body, decoded, is larger than `session_options::max_body_bytes`.
class body_too_large_error : public request_error {
public:
    using request_error::request_error;
};

/// What `response::raise_for_status` throws: the server answered with a status of 400 or more.
class status_error : public request_error {
public:
    /// Keeps the status beside the URL and the text.
    status_error(std::string url, const std::string& what, int status)
        : request_error(std::move(url), what), status_(status) {}

    /// Returns the status, for example 404.
    int status() const noexcept { return status_; }

private:
    int status_;
};

/// The session was destroyed while the request was under way.
class session_closed_error : public request_error {
public:
    using request_error::request_error;
};

} // namespace heddle::http
