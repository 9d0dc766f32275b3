#include "url.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <stdexcept>

namespace heddle::http::detail {

namespace {

constexpr std::size_t longest_url = 64 * 1024;
constexpr std::size_t longest_host = 253, longest_label = 63;

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
constexpr bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}
bool is_hex(char c) noexcept {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}
constexpr bool is_alphanumeric(char c) noexcept {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

/// What a character may be in, for the loops over each one of a URL or header.
struct classes {
    std::array<bool, 256> url{}, token{};

    consteval classes() {
        for (std::size_t i = 0; i < url.size(); ++i) {
            const char c = static_cast<char>(i);
            url[i] = i > ' ' && i < 0x7f && !contains("<>\"\\", c);
            token[i] = is_alphanumeric(c) || contains("!#$%&'*+-.^_`|~", c);
        }
    }
    static constexpr bool contains(std::string_view all, char c) { return all.find(c) != all.npos; }
};
constexpr classes known;

bool is_all(const std::array<bool, 256>& of, std::string_view text) noexcept {
    return std::ranges::all_of(text, [&](char c) { return of[static_cast<unsigned char>(c)]; });
}

bool begins_with(std::string_view url, std::string_view scheme) noexcept {
    return equal_ignoring_case(url.substr(0, scheme.size()), scheme);
}

[[noreturn]] void refuse(std::string_view url, const std::string& why) {
    throw std::invalid_argument("http: the URL " + quoted(url) + " " + why);
}

void check_characters(std::string_view url) {
    if (is_all(known.url, url)) return;
    for (const char each : url) {
        const auto c = static_cast<unsigned char>(each);
        if (known.url[c]) continue;
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

origin parse_url(std::string_view url) {
    if (url.size() > longest_url) {
        refuse(url,
               "has " + std::to_string(url.size()) + " characters; at most " +
                   std::to_string(longest_url) + " are sent: use the body of a POST");
    }
    check_characters(url);
    origin made;
    made.tls = begins_with(url, "https://");
    if (!made.tls && !begins_with(url, "http://")) {
        refuse(url, "does not begin with http:// or https://");
    }
    std::string_view authority = url.substr(made.tls ? 8 : 7);
    const auto is_end = [](char c) { return c == '/' || c == '?' || c == '#'; };
    authority = {authority.begin(), std::ranges::find_if(authority, is_end)};
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
    const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

bool is_token(std::string_view text) noexcept {
    return !text.empty() && is_all(known.token, text);
}

} // namespace heddle::http::detail
