#include "engine.hpp"

#include "check_request.hpp"

#include <heddle/http/error.hpp>
#include <heddle/version.hpp>

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace heddle::http::detail {

using heddle::detail::task;

namespace {

constexpr std::size_t kept_connections = 256;

std::string default_user_agent() {
    return "heddle/" + std::to_string(HEDDLE_VERSION_MAJOR) + '.' +
           std::to_string(HEDDLE_VERSION_MINOR) + '.' + std::to_string(HEDDLE_VERSION_PATCH);
}

/// Whether the environment may name a proxy. libcurl looks for each request, in a thread that knows
/// nothing of who changes the environment meanwhile; so it need not where there is none.
bool environment_has_proxy() {
    constexpr const char* all[] = {
        "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    return std::ranges::any_of(all, [](const char* name) { return std::getenv(name) != nullptr; });
}

settings prepared(session_options&& options) {
    // Once in the process; libcurl counts further calls by the program itself.
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (ready != CURLE_OK) {
        throw std::runtime_error(std::string("http: libcurl cannot be used: ") +
                                 curl_easy_strerror(ready));
    }
    check(options);
    settings made;
    made.options = std::move(options);
    if (!made.options.proxy && !environment_has_proxy()) made.options.proxy = "";
    made.user_agent =
        made.options.user_agent.empty() ? default_user_agent() : made.options.user_agent;
    made.plain_fields = plain_fields(made);
    made.shared = require(share_handle(curl_share_init()));
    // Without locks: only the session's thread uses it.
    curl_share_setopt(made.shared.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
    curl_share_setopt(made.shared.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return made;
}

/// Leaves the signals that are sent to the process to the program's own threads. SIGPIPE, which
/// OpenSSL's writes may raise, is blocked with the others.
void block_signals() {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
        sigdelset(&all, fault);
    }
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

std::exception_ptr closed_failure(const transfer& t) {
    return std::make_exception_ptr(session_closed_error(
        t.what.url,
        t.what.method + " " + t.what.url +
            ": the session was destroyed while it was under way; keep the session until its "
            "futures are done"));
}

} // namespace

// --- life --------------------------------------------------------------------------------------

engine::engine(session_options options)
    : settings_(prepared(std::move(options))), multi_(require(multi_handle(curl_multi_init()))),
      slots_(settings_.options.max_connections_per_host) {
    running_.reserve(slots::most_in_all);
    spare_lines_.reserve(slots::most_in_all);
    // Otherwise libcurl closes connections as soon as few transfers are left.
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(kept_connections));
}

engine::~engine() = default;

std::shared_ptr<engine> engine::start(session_options options) {
    std::shared_ptr<engine> made(new engine(std::move(options)));
    made->thread_ = std::thread([made] {
        block_signals();
        made->run();
    });
    return made;
}

void engine::close(const std::shared_ptr<engine>& self) noexcept {
    if (born_.was_elsewhere()) {
        // The thread is not here to be joined, and the connections are the parent's: leak.
        new std::shared_ptr<engine>(self);
        return;
    }
    const bool own = thread_.get_id() == std::this_thread::get_id() || courier_.is_this_thread();
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
        if (std::exchange(asleep_, false)) curl_multi_wakeup(multi_.get());
        if (own) thread_.detach(); // it holds `self`, and ends by itself
    }
    if (!own) thread_.join();
}

// --- from other threads ------------------------------------------------------------------------

future<response> engine::submit(request&& what, const void* call) {
    origin target = check(what);
    if (born_.was_elsewhere()) {
        throw forked_error("the HTTP session was created before fork(), and its thread does not "
                           "exist in this child; create a session of its own in the child");
    }
    auto t = std::make_unique<transfer>(*this, std::move(what), std::move(target));
    t->task = request_task::make(*t);
    t->task->set_address(call);
    t->task->set_owner(nullptr, born_.forks());
    {
        const std::lock_guard lock(mutex_);
        if (!closing_) ++live_;
        else {
            t->task->discard();
            throw session_closed_error(t->what.url, t->what.url + ": the session is closing");
        }
    }
    future<response> made(t->task);
    post(*t.release(), letter::submitted);
    return made;
}

void engine::post(transfer& t, letter kind) noexcept {
    if (born_.was_elsewhere()) return;
    const auto i = static_cast<std::size_t>(kind);
    const std::lock_guard lock(mutex_);
    if (std::exchange(t.posted[i], true)) return;
    auto& list = letters_[i];
    t.next_letter[i] = nullptr;
    (list.last ? list.last->next_letter[i] : list.first) = &t;
    list.last = &t;
    // With the mutex held: the thread cannot read the letter and be gone before we let go.
    if (std::exchange(asleep_, false)) curl_multi_wakeup(multi_.get());
}

void engine::settle(transfer& t, const std::exception_ptr& failure) noexcept {
    task& result = *t.task;
    if (!result.start()) {
        t.was_cancelled = true; // the letter about it lets go of the task
    } else if (failure) {
        result.ops().store_failure(result, failure);
        result.finish(heddle::detail::phase::failed, true);
    } else {
        t.task->emplace_from([&]() -> response { return std::move(*t.incoming).take(); });
        result.finish(heddle::detail::phase::value, true);
    }
    t.settled = true; // THE TASK MAY BE DEAD, unless it was cancelled
}

// --- the session's thread ----------------------------------------------------------------------

void engine::run() {
    heddle::detail::this_thread.host = this;
    for (;;) {
        now_ns_ = heddle::detail::now_ns();
        read_letters();
        if (closed_) {
            const std::lock_guard lock(mutex_);
            if (live_ == 0) break;
        }
        start_ready();
        int running = 0;
        curl_multi_perform(multi_.get(), &running);
        collect_ended();
        if (now_ns_ >= next_look_ns_) check_clocks();
        if (!slots_.has_next()) wait();
    }
    heddle::detail::this_thread.host = nullptr;
}

/// Sleeps until a letter, a socket or a limit is due.
void engine::wait() {
    {
        const std::lock_guard lock(mutex_);
        const bool news = closing_ && !closed_;
        if (news || std::ranges::any_of(letters_, [](const auto& l) { return l.first; })) return;
        asleep_ = true;
    }
    constexpr std::int64_t longest_ms = 60'000;
    std::int64_t ms = longest_ms;
    if (next_look_ns_ != never) {
        const std::int64_t left = next_look_ns_ - heddle::detail::now_ns();
        ms = std::clamp<std::int64_t>((left + 999'999) / 1'000'000, 0, longest_ms);
    }
    // Whoever sets asleep_ back wakes the multi handle, which remembers that if it comes early.
    curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(ms), nullptr);
    const std::lock_guard lock(mutex_);
    asleep_ = false;
}

void engine::read_letters() {
    transfer* taken[letter_kinds];
    bool close_now = false;
    {
        const std::lock_guard lock(mutex_);
        for (int i = 0; i < letter_kinds; ++i) {
            taken[i] = std::exchange(letters_[i].first, nullptr);
            letters_[i].last = nullptr;
        }
        close_now = closing_ && !closed_;
    }
    // In the order of a transfer's life: the last kinds may be its end.
    for (int i = 0; i < letter_kinds; ++i) {
        while (transfer* const t = taken[i]) {
            {
                // From here on another of its kind may come, and use the link.
                const std::lock_guard lock(mutex_);
                taken[i] = t->next_letter[i];
                t->posted[i] = false;
            }
            switch (static_cast<letter>(i)) {
            case letter::submitted: adopt(*t); break;
            case letter::resumed: resume(*t); break;
            case letter::cancelled: cancel(*t); break;
            case letter::returned: take_back(*t); break;
            }
        }
    }
    if (close_now) close_all();
}

void engine::adopt(transfer& t) {
    t.after = first_;
    if (first_) first_->before = &t;
    first_ = &t;
    if (closed_) return close_transfer(t, closed_failure(t));
    try {
        slots_.ask(t);
    } catch (...) {
        close_transfer(t, std::current_exception());
    }
}

/// The courier has made room, has something to send, or has met a failure.
void engine::resume(transfer& t) {
    if (t.over || !t.line) return;
    if (std::exception_ptr failure = courier_.failure(t)) {
        return close_transfer(t, std::move(failure));
    }
    if (!std::exchange(t.paused, false)) return;
    t.last_byte_ns = now_ns_;
    curl_easy_pause(t.line->easy.get(), CURLPAUSE_CONT);
    set_clock(t);
}

void engine::cancel(transfer& t) {
    t.cancel_seen = true;
    // Nobody is told why: the future is cancelled. The courier learns that there is no more to do.
    if (!t.over) close_transfer(t, std::make_exception_ptr(cancelled_error()));
    else if (!t.at_courier) dispose_if_done(t);
}

void engine::take_back(transfer& t) {
    t.at_courier = false;
    dispose_if_done(t);
}

void engine::close_all() {
    closed_ = true;
    for (transfer* t = first_; t;) {
        transfer& each = *t;
        t = t->after;
        if (!each.over) close_transfer(each, closed_failure(each));
    }
}

/// The last step: a transfer that has been settled, and whose letters have all come.
void engine::dispose_if_done(transfer& t) {
    if (!t.settled || (t.was_cancelled && !t.cancel_seen)) return;
    if (t.was_cancelled) t.task->drop_owner();
    (t.before ? t.before->after : first_) = t.after;
    if (t.after) t.after->before = t.before;
    delete &t;
    const std::lock_guard lock(mutex_);
    --live_;
}

bool engine::run_if_pending(task& awaited) {
    const transfer* const t = request_task::of(awaited);
    if (!t || &t->of != this) return false;
    throw would_deadlock_error("a callback on an HTTP session's own thread waits for " +
                               t->what.url +
                               ", which only this thread can fetch; use "
                               "then(pool, f), or co_await");
}

} // namespace heddle::http::detail
