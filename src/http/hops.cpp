/// How a transfer goes on the wire, and off it again: to another URL, another attempt, or its end.
#include "../core/words.hpp"
#include "check_request.hpp"
#include "engine.hpp"

#include <heddle/http/error.hpp>

#include <charconv>
#include <stdexcept>
#include <utility>

namespace heddle::http::detail {

namespace {

/// When a limit from now on is over; 0 if there is none.
std::int64_t over_at(std::int64_t now, const std::optional<duration>& limit) noexcept {
    if (!limit) return 0;
    constexpr std::int64_t shortest = 1'000'000;
    const std::int64_t ns = std::max<std::int64_t>(limit->count(), shortest);
    return ns > std::numeric_limits<std::int64_t>::max() - now ? 0 : now + ns;
}

bool is_transient(CURLcode result) noexcept {
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return true;
    default: return false;
    }
}

bool asks_to_come_again(int status) noexcept {
    return status == 429 || status == 502 || status == 503 || status == 504;
}

duration retry_after(const header_list& fields) {
    const std::string text = fields.get("Retry-After").value_or("");
    std::int64_t seconds = 0; // a date is not understood, and 0
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, 1'000'000));
}

bool is_same_site(const origin& from, const origin& to) noexcept {
    if (from == to) return true;
    return from.host == to.host && !from.tls && from.port == 80 && to.tls && to.port == 443;
}

std::string joined(const std::vector<std::string>& chain) {
    std::string made;
    for (const std::string& url : chain) made += (made.empty() ? "" : " -> ") + url;
    return made;
}

} // namespace

// --- on the wire -------------------------------------------------------------------------------

void engine::start_ready() {
    while (transfer* const t = slots_.next()) {
        try {
            begin(*t);
        } catch (...) {
            close_transfer(*t, std::current_exception());
        }
    }
}

void engine::begin(transfer& t) {
    const session_options& options = settings_.options;
    if (t.flow) courier_.start();
    if (!t.began_ns) t.began_ns = now_ns_;
    if (t.what.retry && !t.pauses) {
        t.pauses = std::make_unique<heddle::detail::retry_pauses>(*t.what.retry);
    }
    if (!t.total_ns) {
        t.total_ns = over_at(now_ns_, t.what.timeout ? t.what.timeout : options.timeout);
    }
    t.connect_ns = over_at(now_ns_, options.connect_timeout);
    t.last_byte_ns = now_ns_;
    t.sends = 0;
    t.sent = 0;
    t.paused = false;
    t.incoming =
        std::make_unique<answer>(t.what.url,
                                 body_policy{.most = options.max_body_bytes,
                                             .has_sink = t.what.on_body || !t.what.save_as.empty(),
                                             .follows_redirects = options.max_redirects > 0});
    if (spare_lines_.empty()) {
        t.line = make_wire(settings_);
    } else {
        t.line = std::move(spare_lines_.back());
        spare_lines_.pop_back();
    }
    configure(t, settings_);
    if (curl_multi_add_handle(multi_.get(), t.line->easy.get()) != CURLM_OK) throw std::bad_alloc();
    t.index = running_.size();
    running_.push_back(&t); // has room: see slots::most_in_all
    set_clock(t);
}

/// Takes `t` out of whatever it is in: the wire, a queue, a rest.
void engine::off_the_wire(transfer& t) noexcept {
    if (t.line) {
        curl_multi_remove_handle(multi_.get(), t.line->easy.get());
        spare_lines_.push_back(std::move(t.line)); // has room, as running_
    }
    for (auto* list : {&running_, &resting_}) {
        if (t.index >= list->size() || (*list)[t.index] != &t) continue;
        list->back()->index = t.index;
        (*list)[t.index] = list->back();
        list->pop_back();
        break;
    }
    slots_.leave(t);
}

void engine::collect_ended() {
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        char* user = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
        ended(*reinterpret_cast<wire*>(user)->user, message->data.result);
    }
}

void engine::ended(transfer& t, CURLcode result) {
    std::exception_ptr failure;
    try {
        failure = t.failure ? std::exchange(t.failure, nullptr) : explain(t, result);
        std::string location;
        if (t.incoming->is_redirect()) {
            const char* to = nullptr;
            curl_easy_getinfo(t.line->easy.get(), CURLINFO_REDIRECT_URL, &to);
            if (to) location = to;
        }
        off_the_wire(t);
        if (try_again(t, result, failure != nullptr)) return;
        if (!failure && settings_.options.max_redirects > 0 && t.incoming->is_redirect()) {
            return redirect(t, location);
        }
    } catch (...) {
        failure = std::current_exception();
    }
    close_transfer(t, std::move(failure));
}

/// The end of a transfer wherever it is. With `failure` null its answer is whole.
void engine::close_transfer(transfer& t, std::exception_ptr failure) noexcept {
    off_the_wire(t);
    t.over = true;
    if (t.flow && t.incoming) { // the courier has seen it, or may have
        t.at_courier = true;
        return courier_.end(t, std::move(failure));
    }
    settle(t, failure);
    dispose_if_done(t);
}

// --- and again ---------------------------------------------------------------------------------

/// Throws redirect_error, with `t` as it was but for its chain.
void engine::redirect(transfer& t, const std::string& location) {
    request& what = t.what;
    const int status = t.incoming->status();
    t.chain.push_back(what.url);
    const auto refuse = [&](const std::string& why) {
        throw redirect_error(what.url, joined(t.chain) + ": " + why);
    };
    if (location.empty()) {
        refuse("the answer " + std::to_string(status) + " has no Location that is a URL (" +
               quoted(t.incoming->headers().get("Location").value_or("")) + ")");
    }
    if (t.chain.size() > static_cast<std::size_t>(settings_.options.max_redirects)) {
        refuse("more redirects than the " + std::to_string(settings_.options.max_redirects) +
               " that session_options::max_redirects allows; the next one leads to " + location);
    }
    origin next;
    try {
        next = parse_url(location);
    } catch (const std::invalid_argument& e) {
        refuse(std::string("a redirect to where none may lead: ") + e.what());
    }
    if (t.target.tls && !next.tls) {
        refuse("a redirect from https to " + location +
               ", where everybody can listen; request that URL yourself if you mean it");
    }
    const bool drops_body = status == 303 || (status < 303 && what.method == "POST");
    if (!drops_body && what.body_source) {
        refuse("a redirect to " + location + " of a body that can be read only once");
    }
    if (drops_body && what.method != "HEAD") {
        what.method = "GET";
        what.body.clear();
        what.body_source = nullptr;
        what.headers.remove("Content-Type");
    }
    if (!is_same_site(t.target, next)) t.abroad = true;
    what.url = location;
    t.target = std::move(next);
    slots_.ask(t);
}

/// Lets `t` rest before another attempt, if it may have one.
bool engine::try_again(transfer& t, CURLcode result, bool failed) {
    if (!t.pauses) return false;
    if (!(failed ? is_transient(result) : asks_to_come_again(t.incoming->status()))) return false;
    if (t.incoming->to_sink() && t.incoming->received() > 0) return false; // it has seen a part
    const duration at_least = failed ? duration(0) : retry_after(t.incoming->headers());
    const auto next = t.pauses->next_attempt(at_least);
    if (!next) return false;
    resting_.push_back(&t);
    t.index = resting_.size() - 1;
    t.rests_until_ns = next->ns;
    t.total_ns = 0;
    look_at(t.rests_until_ns);
    return true;
}

// --- limits ------------------------------------------------------------------------------------

void engine::set_clock(const transfer& t) noexcept {
    if (t.total_ns) look_at(t.total_ns);
    if (t.connect_ns && t.sends == 0) look_at(t.connect_ns);
    const std::int64_t stall = over_at(t.last_byte_ns, settings_.options.stall_timeout);
    if (stall && !t.paused) look_at(stall);
}

void engine::check_clocks() {
    next_look_ns_ = never;
    // Backwards: who is taken out is replaced by the last, which has been looked at.
    for (std::size_t i = running_.size(); i-- > 0;) check_clock(*running_[i]);
    for (std::size_t i = resting_.size(); i-- > 0;) {
        transfer& t = *resting_[i];
        if (now_ns_ < t.rests_until_ns) {
            look_at(t.rests_until_ns);
            continue;
        }
        off_the_wire(t);
        try {
            slots_.ask(t);
        } catch (...) {
            close_transfer(t, std::current_exception());
        }
    }
}

/// libcurl sends a body that it has as a whole without a word to us, so it is asked when it
/// matters.
bool engine::sent_more(transfer& t) const {
    curl_off_t now = 0;
    curl_easy_getinfo(t.line->easy.get(), CURLINFO_SIZE_UPLOAD_T, &now);
    if (std::exchange(t.sent, now) == now) return false;
    t.last_byte_ns = now_ns_;
    return true;
}

void engine::check_clock(transfer& t) {
    const session_options& options = settings_.options;
    const auto is_over = [&](std::int64_t at) { return at && now_ns_ >= at; };
    std::optional<duration> limit;
    std::string_view phase;
    std::string why;
    if (is_over(t.total_ns)) {
        phase = "total";
        limit = t.what.timeout ? t.what.timeout : options.timeout;
        why = "the whole took longer than the timeout of ";
    } else if (t.sends == 0 && is_over(t.connect_ns)) {
        phase = "connect";
        limit = options.connect_timeout;
        why = "could not connect within the connect_timeout of ";
    } else if (t.sends > 0 && !t.paused &&
               is_over(over_at(t.last_byte_ns, options.stall_timeout)) && !sent_more(t)) {
        phase = "stalled";
        limit = options.stall_timeout;
        why = "stalled: nothing came for the stall_timeout of ";
    } else {
        return set_clock(t);
    }
    std::exception_ptr failure;
    try {
        why += heddle::detail::in_words(*limit) + " (" + std::string(phase) +
               "); raise it, or see why the server is slow";
        failure = std::make_exception_ptr(
            timeout_error(t.what.url, t.what.method + " " + t.what.url + ": " + why, phase));
        off_the_wire(t);
        if (try_again(t, CURLE_OPERATION_TIMEDOUT, true)) return;
    } catch (...) {
        failure = std::current_exception();
    }
    close_transfer(t, std::move(failure));
}

} // namespace heddle::http::detail
