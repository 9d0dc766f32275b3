#include "url.hpp"

#include <heddle/http/error.hpp>
#include <heddle/http/message.hpp>

#include <iconv.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>

namespace heddle::http {

using detail::equal_ignoring_case;

std::optional<std::string> header_list::get(std::string_view name) const {
    for (const value_type& field : fields_) {
        if (equal_ignoring_case(field.first, name)) return field.second;
    }
    return std::nullopt;
}

void header_list::add(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
}

void header_list::remove(std::string_view name) {
    std::erase_if(fields_, [&](const value_type& f) { return equal_ignoring_case(f.first, name); });
}

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

/// The charset that "text/html; charset=latin1" names, or nothing.
std::string charset_of(const std::optional<std::string>& content_type) {
    std::string_view rest = content_type ? std::string_view(*content_type) : "";
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(';'), rest.size());
        const std::string_view part = detail::trimmed(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        constexpr std::string_view key = "charset=";
        if (!equal_ignoring_case(part.substr(0, key.size()), key)) continue;
        std::string name(part.substr(key.size()));
        std::erase(name, '"');
        // A browser takes ISO 8859-1 for the superset of it that people mean.
        if (equal_ignoring_case(name, "iso-8859-1")) return "windows-1252";
        return name;
    }
    return {};
}

std::string converted(iconv_t with, std::string_view from) {
    std::string made;
    char* in = const_cast<char*>(from.data()); // iconv does not write to it
    std::size_t left = from.size();
    char buffer[4096];
    while (left > 0) {
        char* out = buffer;
        std::size_t room = sizeof buffer;
        const std::size_t result = iconv(with, &in, &left, &out, &room);
        made.append(buffer, out);
        if (result != static_cast<std::size_t>(-1) || errno == E2BIG) continue;
        made += replacement; // invalid, or cut off at the end
        if (errno == EINVAL) break;
        ++in;
        --left;
    }
    return made;
}

} // namespace

std::string response::text() const {
    std::string charset = charset_of(headers.get("Content-Type"));
    if (charset.empty()) charset = "UTF-8";
    iconv_t with = iconv_open("UTF-8", charset.c_str());
    if (with == reinterpret_cast<iconv_t>(-1)) with = iconv_open("UTF-8", "UTF-8");
    if (with == reinterpret_cast<iconv_t>(-1)) throw std::bad_alloc();
    struct closing {
        iconv_t what;
        ~closing() { iconv_close(what); }
    } guard{with};
    return converted(with, body);
}

void response::raise_for_status() const {
    if (ok()) return;
    const char* whose = status >= 500 ? "the server failed; try again later"
                                      : "the server refuses it; check the URL and the request";
    throw status_error(
        url, "HTTP status " + std::to_string(status) + " for " + url + ": " + whose, status);
}

} // namespace heddle::http
