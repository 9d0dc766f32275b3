/// What of a URL matters before anything is sent, and the words for text that comes from outside.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace heddle::http::detail {

/// The server that a URL leads to.
struct origin {
    bool tls = false;
    std::string host; ///< lower case; an IPv6 address in its brackets
    int port = 0;

    friend bool operator==(const origin&, const origin&) = default;
};
struct hash_of_origin {
    std::size_t operator()(const origin& o) const noexcept {
        return std::hash<std::string>()(o.host) + static_cast<std::size_t>(o.port);
    }
};

/// Checks `url` and returns its origin.
/// @throws std::invalid_argument  it cannot be valid; names the URL, the flaw and the remedy.
origin parse_url(std::string_view url);

/// `text` in double quotes, safe for a terminal and not longer than about 100 characters.
std::string quoted(std::string_view text);

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;
std::string lower_case(std::string_view text);
/// Without blanks and tabs at both ends.
std::string_view trimmed(std::string_view text) noexcept;
/// A "token" of RFC 9110: what a method or the name of a header field may be.
bool is_token(std::string_view text) noexcept;

} // namespace heddle::http::detail
