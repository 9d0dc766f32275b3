#include "check_request.hpp"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace heddle::http::detail {

namespace {

[[noreturn]] void refuse(const std::string& what) {
    throw std::invalid_argument("http: " + what);
}

void check_field(const header_list::value_type& field) {
    const auto& [name, value] = field;
    if (!is_token(name)) {
        refuse("the header name " + quoted(name) + " is no word of letters, digits and -");
    }
    for (const char each : value) {
        const auto c = static_cast<unsigned char>(each);
        if ((c >= ' ' && c != 0x7f) || c == '\t') continue;
        refuse("the header " + name + " has a control character in its value " + quoted(value) +
               "; encode it, or send it in the body");
    }
    for (const char* own : {"Content-Length", "Transfer-Encoding", "Connection", "Upgrade"}) {
        if (equal_ignoring_case(name, own)) {
            refuse("the header " + name + " is set by the session itself; leave it out");
        }
    }
}

void check_fields(const header_list& fields) {
    for (const header_list::value_type& field : fields) check_field(field);
}

char upper(char c) noexcept {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

void check_bodies(const request& what) {
    const bool has_body = !what.body.empty() || what.body_source;
    if (!what.body.empty() && what.body_source) refuse("give either body or body_source");
    if (what.on_body && !what.save_as.empty()) refuse("give either on_body or save_as");
    if (has_body && (what.method == "HEAD" || what.method == "TRACE")) {
        refuse("a " + what.method + " request has no body");
    }
}

} // namespace

bool may_be_repeated(std::string_view method) noexcept {
    constexpr std::string_view all[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    return std::ranges::find(all, method) != std::end(all);
}

origin check(request& what) {
    origin made = parse_url(what.url);
    if (!is_token(what.method)) refuse("the method " + quoted(what.method) + " is no word");
    std::ranges::transform(what.method, what.method.begin(), upper);
    if (what.method == "CONNECT") {
        refuse("the method CONNECT is for proxies; set session_options::proxy");
    }
    check_fields(what.headers);
    check_bodies(what);
    if (!what.retry) return made;
    heddle::detail::check(*what.retry);
    if (!may_be_repeated(what.method)) {
        refuse("retry is not for " + what.method +
               ", which may not be carried out twice; use PUT, or send a key that the server knows "
               "it by and call again yourself");
    }
    if (what.body_source) refuse("retry needs the body as a whole, not as body_source");
    return made;
}

void check(const session_options& options) {
    const auto refuse_option = [](const char* name, const std::string& value, const char* range) {
        refuse(std::string("session_options::") + name + " is " + value + "; use " + range);
    };
    if (options.max_connections_per_host < 1) {
        refuse_option("max_connections_per_host",
                      std::to_string(options.max_connections_per_host),
                      "1 or more");
    }
    if (options.max_redirects < 0) {
        refuse_option("max_redirects", std::to_string(options.max_redirects), "0 or more");
    }
    if (!options.ca_file.empty() && access(options.ca_file.c_str(), R_OK) != 0) {
        refuse_option("ca_file", quoted(options.ca_file), "a file that can be read");
    }
    check_fields(options.headers);
    check_field({"User-Agent", options.user_agent});
    if (!options.proxy) return;
    const bool fits =
        std::ranges::all_of(*options.proxy, [](char c) { return c > ' ' && c < 0x7f; });
    if (!fits) refuse_option("proxy", quoted(*options.proxy), "a URL, http://HOST:PORT");
}

} // namespace heddle::http::detail
