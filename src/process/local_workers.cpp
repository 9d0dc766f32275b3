#include "local_workers.hpp"

#include "modules.hpp"

#include <heddle/error.hpp>

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace heddle::detail {

namespace {
constexpr std::size_t deepest = 32;
}

std::size_t local_worker::load() const noexcept {
    std::size_t count = 0;
    for (const sent_call& s : sent) count += !s.taken_back;
    return count;
}

bool local_worker::withdraw(sent_call& s) noexcept {
    if (s.started || s.taken_back) return false;
    std::uint32_t expected = claims::offered;
    if (!page().of(s.ticket).state.compare_exchange_strong(expected, claims::withdrawn))
        return false;
    s.taken_back = true;
    s.deadline_ns = 0;
    return true;
}

local_workers::local_workers(carrier_options options, transport_client& client)
    : options_(options), client_(client), wake_up_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_up_) throw std::system_error(errno, std::generic_category(), "process_pool: eventfd");
}

void local_workers::start(std::shared_ptr<void> client) {
    // The thread's own end may be what destroys this object, and is after run() in any case.
    thread_ = std::thread([this, keep = std::move(client)] { run(); });
    thread_id_ = thread_.get_id();
}

local_workers::~local_workers() {
    if (!thread_.joinable()) return;
    if (std::this_thread::get_id() == thread_id_) thread_.detach();
    else thread_.join();
}

// --- calls, from any thread --------------------------------------------------------------------

void local_workers::submit(const call_id& id, carried_call&& c) {
    c.attempts_left = options_.retries;
    std::lock_guard lock(mutex_);
    if (closed_) throw shutdown_error();
    if (!broken_.empty()) throw broken_process_pool_error(broken_);
    queue_.emplace(id, std::move(c));
    // Sending it from here, if a worker is free, saves the way over the supervisor.
    if (!dispatch() || wanted_workers() > 0) wake();
}

bool local_workers::cancel(const call_id& id) noexcept {
    std::lock_guard lock(mutex_);
    if (queue_.erase(id) != 0) {
        if (closed_) wake();
        return true;
    }
    for (const auto& w : workers_) {
        for (sent_call& s : w->sent) {
            if (s.id != id || s.taken_back) continue;
            if (!w->withdraw(s)) return false;
            s.what = carried_call();
            start_next(*w);
            wake();
            return true;
        }
    }
    return false;
}

void local_workers::request_stop(const call_id& id) noexcept {
    std::lock_guard lock(mutex_);
    if (const auto at = queue_.find(id); at != queue_.end()) {
        at->second.stop_requested = true;
        return;
    }
    for (const auto& w : workers_) {
        for (sent_call& s : w->sent) {
            if (s.id != id || s.taken_back) continue;
            s.what.stop_requested = true;
            ::send(w->process.control.get(),
                   &id.number,
                   sizeof id.number,
                   MSG_NOSIGNAL | MSG_DONTWAIT);
            return;
        }
    }
}

std::size_t local_workers::pending() const noexcept {
    std::lock_guard lock(mutex_);
    std::size_t count = queue_.size();
    for (const auto& w : workers_) {
        for (const sent_call& s : w->sent) count += !s.started && !s.taken_back;
    }
    return count;
}

void local_workers::close(closing how) noexcept {
    std::lock_guard lock(mutex_);
    closed_ = true;
    if (how == closing::cancel_pending) {
        // What has been started once, and is to be again because its worker died, cannot be
        // cancelled.
        drop_queue(completion::kind::cancelled, "its worker died and then the pool was shut down");
        for (const auto& w : workers_) {
            for (sent_call& s : w->sent) {
                if (w->withdraw(s))
                    end_call(std::exchange(s.what, {}), completion::kind::cancelled, "");
            }
        }
    } else if (how != closing::run) {
        if (!ending_ || how == closing::kill) ending_ = how;
        broken_ = how == closing::kill ? "the pool was killed: process_pool::kill() was called"
                                       : "the pool was ended: process_pool::terminate() was called";
    }
    wake();
}

void local_workers::join() {
    if (std::this_thread::get_id() == thread_id_) return;
    std::lock_guard lock(join_mutex_);
    if (thread_.joinable()) thread_.join();
}

void local_workers::wake() noexcept {
    if (std::exchange(awake_, true)) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = write(wake_up_.get(), &one, sizeof one);
}

// --- who gets what -----------------------------------------------------------------------------

std::size_t local_workers::depth() const noexcept {
    if (options_.task_timeout) return 1; // so that a kill can hit no other call
    if (usual_microseconds_ < 10) return deepest;
    return usual_microseconds_ < 100 ? 8 : 2;
}

bool local_workers::has_room(const local_worker& w) const noexcept {
    if (w.now != local_worker::state::ready || w.ended) return false;
    const std::uint64_t oldest = w.sent.empty() ? w.past : std::min(w.past, w.sent.front().ticket);
    if (w.tickets - oldest >= claims::count - 1) return false;
    const auto most = static_cast<std::uint64_t>(options_.max_tasks_per_worker);
    return most == 0 || w.tickets < most;
}

local_worker* local_workers::least_loaded() {
    local_worker* best = nullptr;
    std::size_t least = depth();
    for (const auto& w : workers_) {
        if (!has_room(*w)) continue;
        const std::size_t load = w->load();
        if (load < least) {
            best = w.get();
            least = load;
        }
    }
    return best;
}

/// Sends what can be sent; false if something waits for a socket to take more.
bool local_workers::dispatch() {
    while (!queue_.empty()) {
        local_worker* const to = least_loaded();
        if (!to) break;
        auto first = queue_.extract(queue_.begin());
        send(*to, first.key(), std::move(first.mapped()));
    }
    if (queue_.empty()) rebalance();
    bool all_sent = true;
    for (const auto& w : workers_) {
        // A write that fails means that the worker is dying, which its pidfd will tell.
        if (!w->out.empty()) w->out.flush(w->process.data.get(), false);
        all_sent = all_sent && w->out.empty();
    }
    return all_sent;
}

/// Gives idle workers what waits behind a running call of another.
void local_workers::rebalance() {
    for (const auto& idle : workers_) {
        if (!has_room(*idle) || idle->load() != 0) continue;
        for (const auto& busy : workers_) {
            if (busy->load() < 2) continue;
            const auto last = std::find_if(
                busy->sent.rbegin(), busy->sent.rend(), [&](auto& s) { return busy->withdraw(s); });
            if (last == busy->sent.rend()) continue;
            send(*idle, last->id, std::exchange(last->what, {}));
            break;
        }
    }
}

void local_workers::send(local_worker& w, const call_id& id, carried_call&& c) {
    forget_taken_back(w);
    sent_call s{.id = id, .what = std::move(c), .ticket = w.tickets};
    const bool stop = s.what.stop_requested;
    for (const std::uint32_t all = modules_named(); w.modules_known < all; ++w.modules_known) {
        w.out.add(describe_module(w.modules_known));
    }
    w.page().of(w.tickets).state.store(claims::offered);
    w.out.add(s.what.bytes);
    w.sent.push_back(std::move(s));
    ++w.tickets;
    start_next(w);
    if (stop) {
        ::send(w.process.control.get(), &id.number, sizeof id.number, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

void local_workers::forget_taken_back(local_worker& w) {
    while (!w.sent.empty() && w.sent.front().taken_back && w.sent.front().ticket < w.past) {
        w.sent.pop_front();
    }
}

void local_workers::end_call(carried_call&& c, completion::kind how, std::string cause) {
    if (!c.of) return;
    notes_.push_back({std::move(c), {how, {}, std::move(cause)}});
}

void local_workers::drop_queue(completion::kind how, const std::string& cause) {
    for (auto& [id, c] : queue_) end_call(std::move(c), how, cause);
    queue_.clear();
}

// --- what workers say --------------------------------------------------------------------------

void local_workers::handle(local_worker& w, reader frame) {
    switch (static_cast<frame_kind>(frame.head().kind)) {
    case frame_kind::ready:
        if (w.now == local_worker::state::starting) w.now = local_worker::state::ready;
        deaths_in_a_row_ = 0;
        return;
    case frame_kind::refused: return break_pool("no worker can work: " + take_text(frame));
    case frame_kind::ended: return call_ended(w, std::move(frame));
    case frame_kind::passed:
        w.past = std::max(w.past, std::min(frame.head().id, w.tickets));
        return forget_taken_back(w);
    default: throw error("a worker sent a frame that only a pool sends");
    }
}

/// A worker takes what it was sent in turn, so nobody has to tell what it does now.
void local_workers::start_next(local_worker& w) noexcept {
    for (sent_call& s : w.sent) {
        if (s.taken_back) continue;
        if (s.started) return;
        // If it has just been cancelled, whoever did that is about to take it back.
        s.started = client_.started(s.what);
        if (options_.task_timeout) s.deadline_ns = deadline::after(*options_.task_timeout).ns;
        return;
    }
}

void local_workers::call_ended(local_worker& w, reader frame) {
    const auto at = std::find_if(w.sent.begin(), w.sent.end(), [&](const sent_call& s) {
        return s.id.number == frame.head().id &&
               w.page().of(s.ticket).state.load() == claims::taken;
    });
    if (at == w.sent.end()) throw error("a worker ended a call that it had not started");
    w.past = std::max(w.past, at->ticket + 1);
    note_answer(*at, std::move(frame));
    w.sent.erase(at);
    forget_taken_back(w);
    start_next(w);
}

void local_workers::note_answer(sent_call& s, reader answer) {
    const std::int64_t took = answer.head().microseconds;
    const std::int64_t usual = usual_microseconds_;
    usual_microseconds_ = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(usual + (took - usual) / 8 - (took < usual), 0, 1'000'000));
    notes_.push_back({std::move(s.what), {completion::kind::answered, std::move(answer), ""}});
}

/// Takes the answers that lie in the worker's slots; true if there were any.
bool local_workers::collect(local_worker& w) {
    const auto answered = [&](sent_call& s) {
        claims::slot& slot = w.page().of(s.ticket);
        if (s.taken_back || slot.state.load() != claims::answered) return false;
        frame_header head;
        head.length = std::min<std::size_t>(slot.size, claims::small);
        head.microseconds = slot.microseconds;
        head.id = s.id.number;
        auto body = std::make_unique_for_overwrite<std::byte[]>(head.length);
        std::copy_n(slot.answer.data(), head.length, body.get());
        note_answer(s, reader(head, std::move(body), {}));
        w.past = std::max(w.past, s.ticket + 1);
        return true;
    };
    if (std::erase_if(w.sent, answered) == 0) return false;
    forget_taken_back(w);
    start_next(w);
    return true;
}

/// A worker with many short calls before it need not tell of each. We look again after a
/// millisecond; if it has not got on by then, one of them is not so short.
claims::attention local_workers::attention_to(const local_worker& w, bool goes_on) const noexcept {
    const bool many = goes_on && depth() == deepest && w.sent.size() > 2 * calls_low;
    return many ? claims::attention::low : claims::attention::any;
}

/// Lets workers leave that have done their share, or have nothing more to come.
void local_workers::let_idle_leave() {
    const auto most = static_cast<std::uint64_t>(options_.max_tasks_per_worker);
    for (const auto& w : workers_) {
        const bool used_up = most != 0 && w->tickets >= most;
        const bool unneeded = closed_ && queue_.empty();
        if (w->now == local_worker::state::leaving || w->load() != 0) continue;
        if (!used_up && !unneeded) continue;
        w->now = local_worker::state::leaving;
        // Not close: a forked copy of this process may hold the socket too.
        shutdown(w->process.data.get(), SHUT_WR);
    }
}

} // namespace heddle::detail
