#include "local_workers.hpp"

#include "modules.hpp"

#include <heddle/error.hpp>

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <system_error>

namespace heddle::detail {

namespace {
constexpr std::size_t deepest = 32;

void pass_stop_on(const local_worker& to, const call_id& id) noexcept {
    ::send(to.process.control.get(), &id.number, sizeof id.number, MSG_NOSIGNAL | MSG_DONTWAIT);
}
} // namespace

bool local_worker::withdraw(sent_call& s) noexcept {
    if (s.started || s.taken_back) return false;
    std::uint32_t expected = claims::offered;
    if (!page().of(s.ticket).state.compare_exchange_strong(expected, claims::withdrawn))
        return false;
    page().of(s.ticket).tell_watchers();
    s.taken_back = true;
    ++taken_back;
    s.deadline_ns = 0;
    return true;
}

void local_worker::note_past() noexcept {
    // acquire: the worker has read what is in the slots before. What it says is not believed if
    // it cannot be.
    const std::uint32_t seen = page().past.load(std::memory_order_acquire);
    const std::uint32_t behind = static_cast<std::uint32_t>(tickets) - seen;
    if (behind <= claims::count) past = std::max(past, tickets - behind);
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
    // Sending it from here, if a worker is free, saves the way over the supervisor.
    if (queue_.empty()) {
        if (local_worker* const to = least_loaded()) {
            const bool idle = to->sent.empty();
            send(*to, id, std::move(c));
            ring(*to);
            if (!flush(*to) || (!idle && wanted_workers() > 0)) wake();
            return;
        }
    }
    queue_.emplace(id, std::move(c));
    if (!dispatch() || wanted_workers() > 0) wake();
}

bool local_workers::cancel(const call_id& id) noexcept {
    std::lock_guard lock(mutex_);
    if (queue_.erase(id) != 0) {
        if (closed_) wake();
        return true;
    }
    const place at = find(id, false);
    if (!at.of || !at.of->withdraw(*at.call)) return false;
    at.call->what = carried_call();
    start_next(*at.of);
    wake();
    return true;
}

void local_workers::request_stop(const call_id& id) noexcept {
    std::lock_guard lock(mutex_);
    if (const auto at = queue_.find(id); at != queue_.end()) {
        at->second.stop_requested = true;
        return;
    }
    const place at = find(id, false);
    if (!at.of) return;
    at.call->what.stop_requested = true;
    pass_stop_on(*at.of, id);
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
    return !used_up(w);
}

bool local_workers::used_up(const local_worker& w) const noexcept {
    const auto most = static_cast<std::uint64_t>(options_.max_tasks_per_worker);
    return most != 0 && w.tickets >= most;
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

void local_workers::send_queued() {
    while (!queue_.empty()) {
        local_worker* const to = least_loaded();
        if (!to) return;
        const auto first = queue_.begin();
        send(*to, first->first, std::move(first->second));
        queue_.erase(first);
    }
    rebalance();
}

/// Sends what can be sent; false if something waits for a socket to take more.
bool local_workers::dispatch() {
    {
        // Not one by one: to be woken costs a worker far more than a short call.
        struct at_end {
            local_workers& of;
            ~at_end() {
                for (const auto& w : of.workers_) of.ring(*w);
            }
        } const ringing{*this};
        send_queued();
    }
    bool all_sent = true;
    for (const auto& w : workers_) all_sent = flush(*w) && all_sent;
    return all_sent;
}

bool local_workers::flush(local_worker& w) {
    // A write that fails means that the worker is dying, which its pidfd will tell.
    if (!w.out.empty()) w.out.flush(w.process.data.get(), false);
    return w.out.empty();
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

/// The worker learns of it by ring(). What may fail comes first, and leaves `c` alone.
void local_workers::send(local_worker& w, const call_id& id, carried_call&& c) {
    forget_taken_back(w);
    const bool stop = c.stop_requested;
    const std::uint32_t modules = modules_named();
    const std::span<const std::byte> frame = c.bytes->frame();
    claims::slot& slot = w.page().of(w.tickets);
    w.sent.push_back({.id = id, .what = {}, .ticket = w.tickets});
    if (frame.size() <= claims::small && c.bytes->descriptors().empty() &&
        w.modules_known == modules) {
        slot.call_size = static_cast<std::uint32_t>(frame.size());
        std::memcpy(slot.bytes.data(), frame.data(), frame.size());
    } else {
        try {
            slot.call_size = 0;
            for (; w.modules_known < modules; ++w.modules_known) {
                w.out.add(describe_module(w.modules_known));
            }
            w.out.add(c.bytes);
        } catch (...) {
            w.sent.pop_back();
            throw;
        }
    }
    w.sent.back().what = std::move(c);
    // relaxed: nobody looks before `offered`. Those who slept here have been woken.
    slot.watched.store(claims::nobody, std::memory_order_relaxed);
    slot.state.store(claims::offered);
    ++w.tickets;
    start_next(w);
    if (stop) pass_stop_on(w, id);
}

/// Tells the worker of what it has been sent since the last time.
void local_workers::ring(local_worker& w) noexcept {
    const std::size_t fresh = w.tickets - w.rung;
    if (fresh == 0) return;
    w.ring();
    // The worker tells of the answer to the call before when it sleeps, which it does not now.
    if (w.sent.size() > fresh && is_untold(w, w.sent[w.sent.size() - fresh - 1])) wake();
}

bool local_workers::is_untold(const local_worker& w, const sent_call& s) noexcept {
    const claims::slot& slot = w.page().of(s.ticket);
    return !s.taken_back && slot.state.load() == claims::answered &&
           slot.watched.load() == claims::nobody;
}

/// The call is no longer this worker's: whoever waits for it here waits elsewhere.
void local_workers::let_watchers_go(local_worker& w, const sent_call& s) noexcept {
    claims::slot& slot = w.page().of(s.ticket);
    slot.state.store(claims::gone);
    slot.tell_watchers();
}

void local_workers::forget_taken_back(local_worker& w) {
    while (!w.sent.empty() && w.sent.front().taken_back && w.sent.front().ticket < w.past) {
        w.sent.pop_front();
        --w.taken_back;
    }
}

void local_workers::end_call(carried_call&& c, completion::kind how, std::string cause) {
    if (!c.of) return;
    note made;
    made.what = std::move(c);
    made.how.how = how;
    made.how.cause = std::move(cause);
    notes_.push_back(std::move(made));
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
    case frame_kind::passed: w.note_past(); return forget_taken_back(w);
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
        if (!options_.task_timeout) return;
        s.deadline_ns = deadline::after(*options_.task_timeout).ns;
        if (s.deadline_ns < sleeps_until_ns_) wake();
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
    notes_.push_back(note_of(*at, std::move(frame)));
    let_watchers_go(w, *at);
    w.sent.erase(at);
    forget_taken_back(w);
    start_next(w);
}

local_workers::note local_workers::note_of(sent_call& s, reader answer) {
    const std::int64_t took = answer.head().microseconds;
    const std::int64_t usual = usual_microseconds_;
    usual_microseconds_ = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(usual + (took - usual) / 8 - (took < usual), 0, 1'000'000));
    note made;
    made.what = std::move(s.what);
    made.how.answer = std::move(answer);
    return made;
}

/// What lies in the slot of a call that was answered there.
local_workers::note local_workers::answer_of(local_worker& w, sent_call& s) {
    const claims::slot& slot = w.page().of(s.ticket);
    frame_header head;
    head.length = std::min(slot.size, claims::small);
    head.microseconds = slot.microseconds;
    head.id = s.id.number;
    auto body = std::make_unique_for_overwrite<std::byte[]>(head.length);
    std::copy_n(slot.bytes.data(), head.length, body.get());
    w.past = std::max(w.past, s.ticket + 1);
    return note_of(s, reader(head, std::move(body), {}));
}

/// Takes the answers that lie in the worker's slots; true if there were any.
bool local_workers::collect(local_worker& w) {
    const auto answered = [&](sent_call& s) {
        claims::slot& slot = w.page().of(s.ticket);
        if (s.taken_back || slot.state.load() != claims::answered) return false;
        notes_.push_back(answer_of(w, s));
        // The worker may have died before it could tell them.
        if (!slot.tell_watchers()) w.page().fetched.store(false, std::memory_order_relaxed); // hint
        return true;
    };
    w.note_past();
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
    for (const auto& w : workers_) {
        const bool unneeded = closed_ && queue_.empty();
        if (w->now == local_worker::state::leaving || w->load() != 0) continue;
        if (!used_up(*w) && !unneeded) continue;
        w->now = local_worker::state::leaving;
        w->ring();
        // Not close: a forked copy of this process may hold the socket too.
        shutdown(w->process.data.get(), SHUT_WR);
    }
}

} // namespace heddle::detail
