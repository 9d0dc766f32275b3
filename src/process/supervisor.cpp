/// The supervising thread of local_workers: starts workers, listens to them, buries them.
#include "local_workers.hpp"
#include "modules.hpp"

#include <heddle/detail/large_buffer.hpp>
#include <heddle/error.hpp>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>

namespace heddle::detail {

namespace {
constexpr int deaths_that_break = 3;
constexpr std::size_t last_words_kept = 2048;
constexpr std::int64_t millisecond_ns = 1'000'000, second_ns = 1'000 * millisecond_ns;
constexpr std::int64_t never_ns = INT64_MAX;
} // namespace

void local_workers::run() {
    pthread_setname_np(pthread_self(), "heddle-process");
    for (;;) {
        try {
            loop();
            return drop_large();            // nobody may be here to do that later
        } catch (const std::exception& e) { // out of memory, most likely: fail, but never silently
            std::lock_guard lock(mutex_);
            break_pool(std::string("the pool's own thread failed: ") + e.what());
        }
    }
}

void local_workers::loop() {
    for (;;) {
        int to_start = 0;
        {
            std::lock_guard lock(mutex_);
            for (const auto& w : workers_) {
                const bool goes_on = collect(*w);
                w->page().wanted.store(attention_to(*w, goes_on));
                collect(*w); // what came before that will not be told
            }
            dispatch();
            check_deadlines();
            if (ending_ || !broken_.empty()) end_workers();
            to_start = wanted_workers();
            let_idle_leave();
        }
        for (; to_start > 0; --to_start) start_worker();
        std::vector<note> news;
        std::int64_t until = 0;
        {
            std::lock_guard lock(mutex_);
            if (all_done() && notes_.empty()) return;
            watch();
            if (!all_done()) sleeps_until_ns_ = until = wait_until();
            news.swap(notes_);
        }
        // Last of all, without the lock: whoever is woken by it submits the next call most likely,
        // and should not have to wait for us.
        for (note& n : news) client_.ended(std::move(n.what), std::move(n.how));
        wait_for_events(until);
    }
}

bool local_workers::all_done() const {
    return closed_ && queue_.empty() && workers_.empty() && settling_ == 0;
}

int local_workers::wanted_workers() const {
    if (!broken_.empty() || ending_) return 0;
    std::size_t starting = 0, alive = 0, waiting = queue_.size();
    for (const auto& w : workers_) {
        starting += w->now == local_worker::state::starting;
        alive += w->now != local_worker::state::leaving;
        const std::size_t load = w->load(); // all but one wait behind that one
        waiting += load > 1 ? load - 1 : 0;
    }
    const std::size_t needed = waiting > starting ? waiting - starting : 0;
    const auto most = static_cast<std::size_t>(options_.max_workers);
    return static_cast<int>(std::min(needed, most > alive ? most - alive : 0));
}

// --- births ------------------------------------------------------------------------------------

void local_workers::start_worker() {
    auto w = std::make_unique<local_worker>();
    try {
        w->process = start_child(true);
    } catch (const std::exception& e) {
        std::lock_guard lock(mutex_);
        return start_failed(e.what());
    }
    make_non_blocking(w->process.data.get());
    configure(*w);
    std::lock_guard lock(mutex_);
    workers_.push_back(std::move(w));
}

void local_workers::start_failed(const std::string& why) {
    if (!workers_.empty()) return; // they go on, and whatever they do next makes us try again
    if (++deaths_in_a_row_ >= deaths_that_break) break_pool("no worker can be started: " + why);
    else wake(); // nothing else would
}

void local_workers::configure(local_worker& w) {
    w.modules_known = introduce(w.out,
                                {.memory_limit = options_.memory_limit_bytes,
                                 .initializer = options_.initializer,
                                 .name = {}});
    w.out.flush(w.process.data.get(), false);
}

// --- listening ---------------------------------------------------------------------------------

/// When the supervisor has to look again by itself; never_ns if something will wake it.
std::int64_t local_workers::wait_until() const {
    std::int64_t next = never_ns;
    for (const auto& w : workers_) {
        for (const sent_call& s : w->sent) {
            if (s.deadline_ns != 0 && !w->timed_out) next = std::min(next, s.deadline_ns);
        }
        // relaxed: written by this thread and cleared by the worker; at worst a nap for nothing.
        const bool low = w->page().wanted.load(std::memory_order_relaxed) == claims::attention::low;
        // The next of those calls may be a long one after all.
        if (low) next = std::min(next, now_ns() + millisecond_ns);
    }
    return kill_at_ns_ != 0 ? std::min(next, kill_at_ns_) : next;
}

void local_workers::watch() {
    watched_.assign(1, {wake_up_.get(), POLLIN, 0});
    for (const auto& w : workers_) {
        const auto wants = static_cast<short>(w->out.empty() ? POLLIN : POLLIN | POLLOUT);
        watched_.push_back({w->process.errors.get(), POLLIN, 0});
        watched_.push_back({w->process.data.get(), wants, 0});
        watched_.push_back({w->process.pidfd.get(), POLLIN, 0});
    }
}

void local_workers::wait_for_events(std::int64_t until_ns) {
    int timeout = -1;
    if (until_ns != never_ns) {
        const std::int64_t left = std::max<std::int64_t>(until_ns - now_ns(), 0);
        // The next millisecond, not the one before: a task gets all the time that it has.
        const std::int64_t rounded = (left + millisecond_ns - 1) / millisecond_ns;
        timeout = static_cast<int>(std::min<std::int64_t>(rounded, 60'000));
    }
    const bool tidies = timeout < 0 && keeps_large();
    const int events = poll(watched_.data(), watched_.size(), tidies ? large_kept_ms : timeout);
    if (tidies && events == 0) drop_large();
    {
        std::lock_guard lock(mutex_);
        sleeps_until_ns_ = 0;
        std::uint64_t count = 0;
        if (events > 0 && watched_[0].revents) {
            [[maybe_unused]] const ssize_t got = read(wake_up_.get(), &count, sizeof count);
            awake_ = false;
        }
    }
    if (events <= 0) return;
    // What a worker printed came before what it sent, and both before its end.
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        local_worker& w = *workers_[i];
        const pollfd* const of = &watched_[1 + 3 * i];
        if (of[0].revents) overhear(w);
        if (of[1].revents & (POLLIN | POLLHUP | POLLERR)) listen(w, true);
        if (!of[2].revents) continue;
        const std::optional<exit_status> status = reap(w.process.pidfd);
        if (!status) continue;
        overhear(w);
        listen(w, false);
        bury(w, *status);
    }
    std::lock_guard lock(mutex_);
    for (const auto& w : workers_)
        w->page().wanted.store(claims::attention::none); // we look anyway
    std::erase_if(workers_, [](const auto& w) { return w->ended; });
}

/// Takes what the worker has sent; with `once` a single read, else all there is.
void local_workers::listen(local_worker& w, bool once) {
    try {
        bool open = true;
        std::size_t taken = 0;
        do {
            open = w.in.pump(w.process.data.get(), false);
            taken = 0;
            std::lock_guard lock(mutex_);
            for (; auto frame = w.in.next(); ++taken) handle(w, std::move(*frame));
        } while (open && !once && taken != 0);
        // A worker that has closed its end can do nothing more; most often it is dying anyway.
        if (!open) {
            send_signal(w.process.pidfd, SIGKILL);
            std::lock_guard lock(mutex_);
            w.process.data = descriptor();
        }
    } catch (const error& e) {
        w.problem = e.what();
        send_signal(w.process.pidfd, SIGKILL);
    }
}

/// Passes the worker's stderr on, and keeps its end.
void local_workers::overhear(local_worker& w) {
    std::array<char, 4096> text;
    for (;;) {
        const ssize_t got = read(w.process.errors.get(), text.data(), text.size());
        if (got == 0) w.process.errors = descriptor(); // poll ignores a negative descriptor
        if (got <= 0) return;
        const auto count = static_cast<std::size_t>(got);
        [[maybe_unused]] const ssize_t put = write(STDERR_FILENO, text.data(), count);
        w.last_words.append(text.data(), count);
        if (w.last_words.size() > last_words_kept) {
            w.last_words.erase(0, w.last_words.size() - last_words_kept);
        }
    }
}

// --- deaths ------------------------------------------------------------------------------------

void local_workers::check_deadlines() {
    const std::int64_t now = now_ns();
    for (const auto& w : workers_) {
        for (const sent_call& s : w->sent) {
            if (s.deadline_ns == 0 || now < s.deadline_ns || w->timed_out) continue;
            w->timed_out = true;
            send_signal(w->process.pidfd, SIGKILL);
        }
    }
}

/// The pool is to end at once: asks the workers to go, and then makes them.
void local_workers::end_workers() {
    drop_queue(completion::kind::lost, broken_);
    const bool gently = ending_ == closing::terminate;
    if (gently && kill_at_ns_ == 0) {
        for (const auto& w : workers_) send_signal(w->process.pidfd, SIGTERM);
        kill_at_ns_ = now_ns() + second_ns;
    } else if (!gently || now_ns() >= kill_at_ns_) {
        for (const auto& w : workers_) send_signal(w->process.pidfd, SIGKILL);
        kill_at_ns_ = now_ns() + 60 * second_ns;
    }
}

void local_workers::break_pool(const std::string& cause) {
    if (broken_.empty()) broken_ = cause;
    drop_queue(completion::kind::lost, broken_);
}

/// The worker has ended and all that it sent has been taken: settles what it still had.
void local_workers::bury(local_worker& w, const exit_status& status) {
    std::lock_guard lock(mutex_);
    collect(w); // what it had answered outlives it
    w.ended = true;
    std::string cause =
        "its worker (process " + std::to_string(w.process.pid) + ") " + describe(status);
    if (!w.problem.empty()) cause = "its worker was killed: " + w.problem;
    while (w.last_words.ends_with('\n')) w.last_words.pop_back();
    if (!w.last_words.empty()) cause += "; its last words: " + w.last_words;
    if (w.now == local_worker::state::starting) {
        if (++deaths_in_a_row_ >= deaths_that_break) {
            break_pool("three workers in a row died before they were ready; the last one " +
                       cause.substr(cause.find(')') + 2));
        }
    }
    const std::string tries =
        options_.retries == 0
            ? ""
            : "; it was the last of " + std::to_string(options_.retries + 1) + " attempts";
    for (sent_call& s : w.sent) {
        if (s.taken_back) continue;
        const bool ran = w.page().of(s.ticket).state.load() == claims::taken;
        let_watchers_go(w, s);
        if (!broken_.empty()) end_call(std::move(s.what), completion::kind::lost, broken_);
        else if (!ran) queue_.emplace(s.id, std::move(s.what));
        else if (w.timed_out) end_call(std::move(s.what), completion::kind::timed_out, "");
        else if (s.what.attempts_left-- > 0) queue_.emplace(s.id, std::move(s.what));
        else end_call(std::move(s.what), completion::kind::lost, cause + tries);
    }
    w.sent.clear();
    w.taken_back = 0;
}

} // namespace heddle::detail
