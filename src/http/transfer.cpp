/// How a request is told to libcurl, and what libcurl tells back.
#include "transfer.hpp"

#include "check_request.hpp"
#include "courier.hpp"
#include "engine.hpp"

#include <algorithm>
#include <chrono>

namespace heddle::http::detail {

// --- the task ----------------------------------------------------------------------------------

using heddle::detail::phase;
using heddle::detail::task;

constinit const task::operations request_task::table_{nullptr,
                                                      &request_task::drop,
                                                      &state<response>::drop_result_of,
                                                      &request_task::destroy,
                                                      &state<response>::store_failure_of,
                                                      &state<response>::failure_of,
                                                      &request_task::request_stop};

request_task* request_task::make(transfer& work) {
    void* memory = heddle::detail::slab_allocate(sizeof(request_task), alignof(request_task));
    return ::new (memory) request_task(work);
}

transfer* request_task::of(const task& t) noexcept {
    if (&t.ops() != &table_ || t.current() != phase::pending) return nullptr;
    return &static_cast<const request_task&>(t).work_;
}

void request_task::drop(task& t) noexcept {
    if (t.current() != phase::cancelled) return;
    transfer& work = static_cast<request_task&>(t).work_;
    work.of.post(work, letter::cancelled);
}

void request_task::destroy(task& t) noexcept {
    auto& self = static_cast<request_task&>(t);
    self.destroy_result();
    heddle::detail::slab_free(&self, sizeof(request_task), alignof(request_task));
}

bool request_task::request_stop(task& t) noexcept {
    return t.cancel();
}

transfer::transfer(engine& session, request&& asked, origin to)
    : of(session), what(std::move(asked)), target(std::move(to)) {
    if (what.on_body || what.body_source || !what.save_as.empty()) {
        flow = std::make_unique<stream>();
    }
}

transfer::~transfer() = default;

// --- what libcurl calls ------------------------------------------------------------------------

namespace {

/// Runs `step`; what it throws ends the transfer, since libcurl sees `refused` then.
template <class Step>
std::size_t guarded(transfer& t, std::size_t refused, Step step) noexcept {
    t.last_byte_ns = t.of.now();
    try {
        return step();
    } catch (...) {
        t.failure = std::current_exception();
        return refused;
    }
}

std::size_t on_header(const char* at, std::size_t, std::size_t size, void* user) noexcept {
    transfer& t = *static_cast<wire*>(user)->user;
    return guarded(t, 0, [&] {
        t.incoming->header_line({at, size});
        return size;
    });
}

std::size_t on_body(const char* at, std::size_t, std::size_t size, void* user) noexcept {
    transfer& t = *static_cast<wire*>(user)->user;
    return guarded(t, CURL_WRITEFUNC_ERROR, [&]() -> std::size_t {
        if (t.flow && t.incoming->to_sink() && t.of.messenger().is_full(t)) {
            t.paused = true;
            return CURL_WRITEFUNC_PAUSE;
        }
        t.incoming->body({at, size},
                         [&](std::string_view piece) { t.of.messenger().deliver(t, piece); });
        if (t.what.progress) {
            t.what.progress({.done = static_cast<std::size_t>(t.incoming->received()),
                             .total = static_cast<std::size_t>(t.incoming->length()),
                             .elapsed = duration(t.last_byte_ns - t.began_ns)});
        }
        return size;
    });
}

std::size_t on_read(char* to, std::size_t, std::size_t room, void* user) noexcept {
    transfer& t = *static_cast<wire*>(user)->user;
    return guarded(t, CURL_READFUNC_ABORT, [&]() -> std::size_t {
        std::size_t taken = 0;
        if (t.of.messenger().take(t, to, room, taken)) return taken;
        t.paused = true;
        return CURL_READFUNC_PAUSE;
    });
}

/// A connection stands, and the request is about to be sent.
int on_connected(void* user, char*, char*, int, int) noexcept {
    transfer& t = *static_cast<wire*>(user)->user;
    t.last_byte_ns = t.of.now();
    ++t.sends;
    t.of.met(t);
    // libcurl sends again, unasked, what was sent into a connection that the server had closed.
    if (t.sends > 1 && !may_be_repeated(t.what.method)) return CURL_PREREQFUNC_ABORT;
    return CURL_PREREQFUNC_OK;
}

bool is_credential(std::string_view name) noexcept {
    return equal_ignoring_case(name, "Authorization") || equal_ignoring_case(name, "Cookie") ||
           equal_ignoring_case(name, "Proxy-Authorization");
}

void append_field(string_list& to, const std::string& name, std::string_view value) {
    value = trimmed(value);
    // "Name:" would mean to libcurl that it is not to be sent.
    append(to, value.empty() ? name + ';' : name + ": " + std::string(value));
}

/// The fields to send: `own` and the session's, without `credentials` only those that are none.
string_list fields_of(const header_list& own, const settings& of, bool credentials, bool has_body) {
    const header_list& common = of.options.headers;
    string_list made;
    const auto has = [&](const char* name) { return own.get(name) || common.get(name); };
    for (const auto& [name, value] : common) {
        if (own.get(name) || (!credentials && is_credential(name))) continue;
        append_field(made, name, value);
    }
    for (const auto& [name, value] : own) {
        if (credentials || !is_credential(name)) append_field(made, name, value);
    }
    if (!has("User-Agent")) append_field(made, "User-Agent", of.user_agent);
    if (!has("Accept-Encoding")) append(made, "Accept-Encoding: gzip, deflate");
    if (!has_body) return made;
    if (!has("Content-Type")) append(made, "Content-Type:"); // libcurl's is that of a web form
    append(made, "Expect:");                                 // no round trip before a large body
    return made;
}

} // namespace

string_list plain_fields(const settings& of) {
    return fields_of({}, of, true, false);
}

std::unique_ptr<wire> make_wire(const settings& of) {
    auto made = std::make_unique<wire>();
    made->easy = require(easy_handle(curl_easy_init()));
    CURL* const easy = made->easy.get();
    const session_options& options = of.options;
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_ERRORBUFFER, made->error);
    set(easy, CURLOPT_HEADERFUNCTION, &on_header);
    set(easy, CURLOPT_WRITEFUNCTION, &on_body);
    set(easy, CURLOPT_READFUNCTION, &on_read);
    set(easy, CURLOPT_PREREQFUNCTION, &on_connected);
    set(easy, CURLOPT_SHARE, of.shared.get());
    set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    set(easy, CURLOPT_PROTOCOLS, long{CURLPROTO_HTTP | CURLPROTO_HTTPS});
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    set(easy, CURLOPT_QUICK_EXIT, 1L); // do not wait for a look-up of a name that is given up
#endif
    set(easy, CURLOPT_PRIVATE, made.get());
    set(easy, CURLOPT_HEADERDATA, made.get());
    set(easy, CURLOPT_WRITEDATA, made.get());
    set(easy, CURLOPT_READDATA, made.get());
    set(easy, CURLOPT_PREREQDATA, made.get());
    if (options.cookies) set(easy, CURLOPT_COOKIEFILE, ""); // on, and nothing to read
    if (options.proxy) set(easy, CURLOPT_PROXY, options.proxy->c_str());
    if (options.proxy && options.proxy->empty()) set(easy, CURLOPT_NOPROXY, ""); // look no further
    set(easy, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
    if (!options.ca_file.empty()) set(easy, CURLOPT_CAINFO, options.ca_file.c_str());
    if (!options.verify_tls) {
        set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (options.connect_timeout) {
        // Our own clock decides; libcurl divides this among the addresses of a host.
        const auto limit = std::chrono::ceil<std::chrono::milliseconds>(*options.connect_timeout);
        set(easy,
            CURLOPT_CONNECTTIMEOUT_MS,
            static_cast<long>(std::clamp<std::int64_t>(limit.count(), 1, 1'000'000'000)));
    }
    return made;
}

void configure(transfer& t, const settings& of) {
    using enum wire::set_up;
    wire& line = *t.line;
    CURL* const easy = line.easy.get();
    const request& what = t.what;
    line.user = &t;
    line.error[0] = '\0';
    set(easy, CURLOPT_URL, what.url.c_str());
    const bool is_get = what.method == "GET";
    const bool has_body = what.body_source || !what.body.empty() || what.method == "POST" ||
                          what.method == "PUT" || what.method == "PATCH";
    const bool plain = is_get && what.headers.empty() && !has_body && !t.abroad;
    const wire::set_up wanted = !plain ? other : t.target.tls ? get_tls : get;
    if (plain && line.is == wanted) return; // most requests are like the one before
    line.is = other;                        // until all of it has been set
    set(easy, CURLOPT_HTTPGET, 1L);         // takes back what the last transfer set
    set(easy, CURLOPT_CUSTOMREQUEST, is_get ? nullptr : what.method.c_str());
    if (what.method == "HEAD") {
        set(easy, CURLOPT_NOBODY, 1L);
    } else if (what.body_source) {
        set(easy, CURLOPT_UPLOAD, 1L);
        set(easy, CURLOPT_INFILESIZE_LARGE, curl_off_t{-1});
    } else if (has_body) {
        set(easy, CURLOPT_POSTFIELDS, what.body.c_str());
        set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(what.body.size()));
        set(easy, CURLOPT_CUSTOMREQUEST, what.method.c_str());
    }
    // A body that is streamed cannot be sent twice: no connection that may be closed already.
    set(easy, CURLOPT_FRESH_CONNECT, what.body_source ? 1L : 0L);
    set(easy,
        CURLOPT_HTTP_VERSION,
        long{t.target.tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1});
    // It is among the fields, where libcurl does not put it together for each request anew; for the
    // proxy that it asks to connect it to a TLS server it looks here.
    set(easy, CURLOPT_USERAGENT, t.target.tls ? of.user_agent.c_str() : nullptr);
    if (!plain) t.fields = fields_of(what.headers, of, !t.abroad, has_body);
    set(easy, CURLOPT_HTTPHEADER, plain ? of.plain_fields.get() : t.fields.get());
    line.is = wanted;
}

} // namespace heddle::http::detail
