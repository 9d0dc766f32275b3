/// Requests, responses and their headers.
#pragma once

#include <heddle/functional.hpp>
#include <heddle/progress.hpp>
#include <heddle/time.hpp>

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace heddle::http {

/// Header fields in their order, as pairs of name and value; a name may occur more than once.
///
/// Names are compared without regard to case. Lookups walk the list: there are seldom more than 20.
///
/// Example:
///     for (const auto& [name, value] : page.headers) heddle::print(name, "=", value);
///     std::string type = page.headers.get("Content-Type").value_or("unknown");
///
/// Thread safety: as a vector. Lifetime: owns its strings.
class header_list {
public:
    using value_type = std::pair<std::string, std::string>;
    using const_iterator = std::vector<value_type>::const_iterator;

    header_list() = default;
    /// Makes a list: `{{"Accept", "text/html"}, {"X-Trace", "7"}}`.
    header_list(std::initializer_list<value_type> fields) : fields_(fields) {}

    /// Returns the value of the first field of that name, or nothing.
    std::optional<std::string> get(std::string_view name) const;
    /// Appends a field, even if there is one of that name.
    void add(std::string name, std::string value);
    /// Makes room for so many fields.
    void reserve(std::size_t fields) { fields_.reserve(fields); }
    /// Removes all fields of that name.
    void remove(std::string_view name);

    const_iterator begin() const noexcept { return fields_.begin(); }
    const_iterator end() const noexcept { return fields_.end(); }
    /// Returns the number of fields.
    std::size_t size() const noexcept { return fields_.size(); }
    bool empty() const noexcept { return fields_.empty(); }

private:
    std::vector<value_type> fields_;
};

/// What to ask for. Only `url` is needed.
///
/// Example:
///     auto made = session.request({.method = "POST",
///                                  .url = "https://example.org/items",
///                                  .headers = {{"Content-Type", "application/json"}},
///                                  .body = R"({"name": "loom"})"});
struct request {
    std::string method = "GET"; ///< any case
    std::string url = {};       ///< http or https, without user and password
    header_list headers = {};   ///< take precedence over those of the session
    std::string body = {};
    std::optional<duration> timeout = {}; ///< in place of `session_options::timeout`

    /// Given the body of a 2xx answer piece by piece, decoded, instead of `response::body`. Runs
    /// on a thread of the session, one callback at a time, and may block: the server is then made
    /// to wait. What it throws ends the transfer and is what the future throws.
    std::function<void(std::string_view piece)> on_body = {};
    /// Writes the body of a 2xx answer to this file, instead of `response::body`. The file appears
    /// when it is complete; until then it is called NAME.part, which is removed after a failure.
    std::string save_as = {};
    /// Produces a large body piece by piece; an empty piece ends it. Runs as `on_body` does.
    std::function<std::string()> body_source = {};
    /// Tries again, for methods that may be repeated (GET, HEAD, PUT, DELETE, OPTIONS, TRACE):
    /// after a failed connection, a time limit, an answer that was cut off, and the statuses 429,
    /// 502, 503 and 504, whose Retry-After counts if it is longer than the pause. `deadline`
    /// counts from the first attempt.
    std::optional<retry_options> retry = {};
    /// Told how many bytes of the body have come, of how many (0: not known). Runs on the thread
    /// of the session: it must be quick. `heddle::progress("name")` draws a bar.
    std::function<void(const progress_state&)> progress = {};
};

/// What came back.
///
/// Example:
///     heddle::http::response page = session.get("https://example.org").result();
///     page.raise_for_status();
///     heddle::print(page.status, page.url, page.text().size());
struct response {
    int status = 0;
    std::string url = {};      ///< the final one, after redirects
    header_list headers = {};  ///< as the server sent them
    std::string body = {};     ///< decoded: a gzip or deflate encoding has been undone
    std::string protocol = {}; ///< "HTTP/1.1" or "HTTP/2"

    /// Returns the body as UTF-8, converted from the charset that Content-Type names. What is
    /// invalid becomes U+FFFD; an unknown charset is taken for UTF-8. Throws std::bad_alloc.
    std::string text() const;
    /// Tells whether the status is below 400, as in Python's requests.
    bool ok() const noexcept { return status < 400; }
    /// Throws if the status is 400 or more, and does nothing otherwise.
    /// @throws status_error  its `status()` and text say which; the response is unchanged.
    void raise_for_status() const;
};

} // namespace heddle::http
