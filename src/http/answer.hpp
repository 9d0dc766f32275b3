/// One answer of a server, put together from what libcurl hands over, and checked on the way.
#pragma once

#include "decoder.hpp"

#include <heddle/http/message.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace heddle::http::detail {

/// What to do with a body.
struct body_policy {
    std::size_t most = 0;  ///< bytes, decoded, that may be kept
    bool has_sink = false; ///< the body of a 2xx goes there
    bool follows_redirects = false;
};

/// Knows nothing of libcurl. Everything that it throws is a request_error for `url`, or
/// std::bad_alloc.
class answer {
public:
    /// Refers to `url`, which must not change before `take`.
    answer(const std::string& url, body_policy policy) : url_(url), policy_(policy) {}

    /// Takes a line of the header, the status line included, with its line end.
    void header_line(std::string_view line);
    /// Takes a piece of the body. Calls `sink(piece)` with what is decoded, if it goes there.
    template <class Sink>
    void body(std::string_view piece, Sink sink) {
        received_ += piece.size();
        if (discards()) return check_size(received_);
        const auto keep = [&](std::string_view decoded) {
            if (to_sink()) return sink(decoded);
            check_size(made_.body.size() + decoded.size());
            made_.body += decoded;
        };
        if (!decoder_) return keep(piece);
        decode(piece, keep);
    }
    /// The server has sent all. Throws if that cannot be.
    void finish() const;
    response take() && {
        made_.url = url_;
        return std::move(made_);
    }

    int status() const noexcept { return made_.status; }
    const header_list& headers() const noexcept { return made_.headers; }
    /// The header is complete, and it is the final one.
    bool has_header() const noexcept { return complete_; }
    /// The whole body has come, as far as the header tells how long it is.
    bool is_whole() const noexcept { return complete_ && length_ && received_ == *length_; }
    /// Bytes of the body as they were sent, and how many there will be (0: not known).
    std::uint64_t received() const noexcept { return received_; }
    std::uint64_t length() const noexcept { return length_.value_or(0); }
    /// A redirect, to be followed.
    bool is_redirect() const noexcept;
    bool to_sink() const noexcept { return policy_.has_sink && status() / 100 == 2; }

private:
    bool discards() const noexcept { return policy_.follows_redirects && is_redirect(); }
    void check_size(std::uint64_t bytes) const;
    void status_line(std::string_view line);
    void field(std::string_view line);
    void end_of_header();
    template <class Keep>
    void decode(std::string_view piece, Keep keep) {
        // Where `keep` throws, that passes; what the decoder throws is explained.
        bool inside = false;
        try {
            decoder_->decode(piece, [&](std::string_view decoded) {
                inside = true;
                keep(decoded);
                inside = false;
            });
        } catch (const std::runtime_error& e) {
            if (inside) throw;
            fail_decoding(e.what());
        }
    }
    [[noreturn]] void fail(const std::string& why) const;
    [[noreturn]] void fail_decoding(const std::string& why) const;

    const std::string& url_;
    body_policy policy_;
    response made_;
    std::size_t header_bytes_ = 0;
    bool complete_ = false;
    std::optional<std::uint64_t> length_; ///< Content-Length
    std::uint64_t received_ = 0;
    std::unique_ptr<decoder> decoder_;
};

} // namespace heddle::http::detail
