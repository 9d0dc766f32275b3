#include "url.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <stdexcept>

namespace heddle::http::detail {

namespace {

constexpr std::size_t longest_url = 64 * 1024;
constexpr std::size_t longest_host = 253, longest_label = 63;

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}
bool is_hex(char c) noexcept {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}
bool is_alphanumeric(char c) noexcept {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

[[noreturn]] void refuse(std::string_view url, const std::string& why) {
    throw std::invalid_argument("http: the URL " + quoted(url) + " " + why);
}

void check_characters(std::string_view url) {
    for (const char each : url) {
        const auto c = static_cast<unsigned char>(each);
        if (c > ' ' && c < 0x7f && c != '<' && c != '>' && c != '"' && c != '\\') continue;
        char name[16];
        std::snprintf(name, sizeof name, "%%%02X", c);
        const std::string what = c == ' '    ? "a space"
                                 : c < ' '   ? "a control character"
                                 : c >= 0x7f ? "a character outside ASCII"
                                             : std::string("the character ") + each;
        refuse(url,
               "contains " + what + "; write it as " + name +
                   " (in a host name: its xn-- form, as punycode)");
    }
}

void check_name(std::string_view url, std::string_view host) {
    if (host.empty()) refuse(url, "names no host; write http://HOST/PATH");
    if (host.size() > longest_host) refuse(url, "has a host name of over 253 characters");
    std::size_t label = 0;
    for (const char c : host) {
        label = c == '.' ? 0 : label + 1;
        if (label > longest_label) refuse(url, "has a part of over 63 characters in its host name");
        if (!is_alphanumeric(c) && c != '.' && c != '-' && c != '_') {
            refuse(url, std::string("has '") + c + "' in its host name");
        }
    }
    if (host.front() == '.' || host.find("..") != host.npos) {
        refuse(url, "has an empty part in its host name");
    }
}

void check_address(std::string_view url, std::string_view inside) {
    const bool fits =
        std::ranges::all_of(inside, [](char c) { return is_hex(c) || c == ':' || c == '.'; });
    if (!fits || std::ranges::count(inside, ':') < 2) {
        refuse(url, "has no IPv6 address in its brackets");
    }
}

int port_number(std::string_view url, std::string_view digits, bool tls) {
    if (digits.empty()) return tls ? 443 : 80;
    int port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size() || port < 1 || port > 65535 ||
        !is_digit(digits.front())) {
        refuse(url, "has the port " + quoted(digits) + "; use 1 to 65535");
    }
    return port;
}

} // namespace

std::string origin::text() const {
    return (tls ? "https://" : "http://") + host + ':' + std::to_string(port);
}

origin parse_url(std::string_view url) {
    if (url.size() > longest_url) {
        refuse(url,
               "has " + std::to_string(url.size()) + " characters; at most " +
                   std::to_string(longest_url) + " are sent: use the body of a POST");
    }
    check_characters(url);
    const std::size_t colon = url.find("://");
    const std::string scheme = lower_case(url.substr(0, colon == url.npos ? 0 : colon));
    if (scheme != "http" && scheme != "https") {
        refuse(url, "does not begin with http:// or https://");
    }
    origin made;
    made.tls = scheme == "https";
    std::string_view authority = url.substr(colon + 3);
    authority = authority.substr(0, authority.find_first_of("/?#"));
    if (authority.find('@') != authority.npos) {
        refuse("http://...@" + std::string(authority.substr(authority.rfind('@') + 1)),
               "contains a user name or password, which end up in logs; send an Authorization "
               "header");
    }
    std::size_t end = 0;
    if (authority.starts_with('[')) {
        end = authority.find(']');
        if (end == authority.npos) refuse(url, "has no ']' after its IPv6 address");
        check_address(url, authority.substr(1, end - 1));
        ++end;
    } else {
        end = std::min(authority.find(':'), authority.size());
        check_name(url, authority.substr(0, end));
    }
    made.host = lower_case(authority.substr(0, end));
    std::string_view rest = authority.substr(end);
    if (!rest.empty() && rest.front() != ':') refuse(url, "has something after its IPv6 address");
    made.port = port_number(url, rest.empty() ? rest : rest.substr(1), made.tls);
    return made;
}

std::string quoted(std::string_view text) {
    constexpr std::size_t shown = 100;
    std::string made = "\"";
    for (const char each : text.substr(0, shown)) {
        const auto c = static_cast<unsigned char>(each);
        if (c >= ' ' && c != 0x7f) {
            made += each;
            continue;
        }
        char code[8];
        std::snprintf(code, sizeof code, "\\x%02x", c);
        made += code;
    }
    made += text.size() > shown ? "...\"" : "\"";
    return made;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::string lower_case(std::string_view text) {
    std::string made(text);
    std::ranges::transform(made, made.begin(), lower);
    return made;
}

std::string_view trimmed(std::string_view text) noexcept {
    constexpr std::string_view blanks = " \t";
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool is_token(std::string_view text) noexcept {
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::ranges::all_of(text, [&](char c) {
        return is_alphanumeric(c) || others.find(c) != others.npos;
    });
}

} // namespace heddle::http::detail
