#include "answer.hpp"

#include "url.hpp"

#include <heddle/http/error.hpp>

#include <algorithm>
#include <charconv>

namespace heddle::http::detail {

namespace {

constexpr std::size_t most_header_bytes = 256 * 1024;

bool is_followed(int status) noexcept {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

} // namespace

void answer::fail(const std::string& why) const {
    throw protocol_error(url_, url_ + ": the answer is malformed: " + why);
}

void answer::fail_decoding(const std::string& why) const {
    fail("its body is not what its Content-Encoding says (" + why +
         "); send 'Accept-Encoding: identity' to get it as it is");
}

bool answer::is_redirect() const noexcept {
    return is_followed(status());
}

void answer::check_size(std::uint64_t bytes) const {
    if (bytes <= policy_.most) return;
    throw body_too_large_error(
        url_,
        url_ + ": the body is larger than the " + std::to_string(policy_.most) +
            " bytes that session_options::max_body_bytes allows; raise it, or use on_body or "
            "save_as");
}

void answer::header_line(std::string_view line) {
    header_bytes_ += line.size();
    if (header_bytes_ > most_header_bytes) {
        fail("its header is larger than " + std::to_string(most_header_bytes) + " bytes");
    }
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    if (line.find('\0') != line.npos) fail("a NUL byte in its header");
    if (line.starts_with("HTTP/")) return status_line(line);
    if (complete_ || made_.status < 200) return; // a trailer, or of an interim answer
    if (line.empty()) return end_of_header();
    field(line);
}

void answer::status_line(std::string_view line) {
    const std::size_t blank = line.find(' ');
    const std::string_view digits = blank == line.npos ? "" : line.substr(blank + 1, 3);
    int status = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), status);
    if (error != std::errc() || end != digits.data() + 3 || status < 100) {
        fail("its status line is " + quoted(line));
    }
    if (status == 101) fail("it switches to another protocol, which was not asked for");
    made_.status = status;
    made_.headers = {};
    made_.headers.reserve(16);
    made_.protocol = line.substr(0, blank);
    complete_ = false;
}

void answer::field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == line.npos || !is_token(line.substr(0, colon))) {
        fail("the header line " + quoted(line));
    }
    made_.headers.add(std::string(line.substr(0, colon)),
                      std::string(trimmed(line.substr(colon + 1))));
}

void answer::end_of_header() {
    complete_ = true;
    bool chunked = false;
    std::string encoding;
    for (const auto& [name, value] : made_.headers) {
        if (equal_ignoring_case(name, "Transfer-Encoding")) chunked = true;
        else if (equal_ignoring_case(name, "Content-Encoding")) {
            encoding += (encoding.empty() ? "" : ", ") + value;
        } else if (equal_ignoring_case(name, "Content-Length")) {
            std::uint64_t length = 0;
            const char* const last = value.data() + value.size();
            const auto [end, error] = std::from_chars(value.data(), last, length);
            if (error != std::errc() || end != last || (length_ && *length_ != length)) {
                fail("Content-Length " + quoted(value));
            }
            length_ = length;
        }
    }
    if (chunked && length_) fail("both Transfer-Encoding and Content-Length");
    if (equal_ignoring_case(encoding, "gzip") || equal_ignoring_case(encoding, "x-gzip")) {
        decoder_ = std::make_unique<decoder>(decoder::coding::gzip);
    } else if (equal_ignoring_case(encoding, "deflate")) {
        decoder_ = std::make_unique<decoder>(decoder::coding::deflate);
    }
}

void answer::finish() const {
    if (!complete_) fail("it ended before its header did");
    if (decoder_ && received_ > 0 && !discards() && !decoder_->complete()) {
        fail("its compressed body was cut off");
    }
}

} // namespace heddle::http::detail
