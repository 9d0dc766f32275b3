/// The loop itself: one a thread, made by `aio::run`.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/detail/job.hpp>
#include <heddle/detail/parking.hpp>
#include <heddle/detail/reactor.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace heddle::detail {

/// Deadlines in order, first come first served among equals: a 4-ary heap.
class timer_heap {
public:
    bool empty() const noexcept { return entries_.empty(); }
    std::int64_t next_ns() const noexcept { return entries_.front().at; }
    void add(timer& t, std::int64_t at);
    void remove(timer& t) noexcept;
    /// Fires all timers whose time has come by `now`.
    void fire(std::int64_t now) noexcept;

private:
    struct entry {
        std::int64_t at;
        std::uint64_t number;
        timer* what;
        bool before(const entry& other) const noexcept {
            return at != other.at ? at < other.at : number < other.number;
        }
    };
    void place(std::size_t i, const entry& e) noexcept;
    void sift_up(std::size_t i, const entry& e) noexcept;
    void sift_down(std::size_t i, const entry& e) noexcept;

    std::vector<entry> entries_;
    std::uint64_t count_ = 0;
};

/// How other threads, and the handler of Ctrl-C, reach a loop.
///
/// Thread safety: post and interrupt from any thread, interrupt also from a signal handler; the
/// rest from the loop's thread. Lifetime: shared by the loop and by those who may write.
class mailbox {
public:
    bool post(mail& m) noexcept;
    /// All that has come, in order.
    mail* take() noexcept;
    mailbox() noexcept = default;
    ~mailbox();
    mailbox(const mailbox&) = delete;
    mailbox& operator=(const mailbox&) = delete;

    /// Sleeps until there is mail, until `interrupt`, or until the deadline; in `where`, if that is
    /// not null, also until something comes there.
    void wait(deadline limit, reactor* where) noexcept;
    /// A descriptor that becomes readable to wake who sleeps in a reactor. Throws
    /// std::system_error.
    int wake_descriptor();
    void interrupt() noexcept;
    /// Tells whether `interrupt` was called since the last look.
    bool take_interrupt() noexcept {
        // relaxed: a hint; wait() looks again in the order that matters.
        return interrupted_.load(std::memory_order_relaxed) && interrupted_.exchange(false);
    }
    /// No more mail; returns what is left.
    mail* close() noexcept;
    bool has_mail() const noexcept {
        // acquire: pairs with the release in post(); a miss is found under the mutex in wait().
        return any_.load(std::memory_order_acquire);
    }

private:
    static constexpr std::uint32_t awake = 0, asleep = 1, in_reactor = 2;

    mail* take_locked() noexcept;
    void wake() noexcept;

    light_mutex mutex_;
    mail* first_ = nullptr;
    mail* last_ = nullptr;
    bool closed_ = false;
    /// Protocol: written under the mutex; read without it as a hint.
    atomic<bool> any_{false};
    /// Protocol: the loop says `asleep` (or `in_reactor`) under the mutex when it has found no
    /// mail, and only then sleeps, on the word (or on the descriptor). Whoever writes mail, under
    /// the mutex, or interrupts, without it, says `awake` first and then wakes: the futex sleeps on
    /// no other word than `asleep`, and the descriptor stays readable until it is read.
    atomic<std::uint32_t> word_{awake};
    /// Protocol: set before `awake` is said, and looked at after `asleep` was: with both in the one
    /// order of all seq_cst operations, the loop does not go to sleep over an interrupt.
    atomic<bool> interrupted_{false};
    int wake_ = -1; ///< written before `in_reactor` is ever said; read by who found that
};

/// Runs jobs in the order in which they became ready.
///
/// Thread safety: its own thread only. Lifetime: outlives its jobs: `run` cancels and awaits them.
class event_loop {
public:
    explicit event_loop(duration watchdog);
    ~event_loop();
    event_loop(const event_loop&) = delete;
    event_loop& operator=(const event_loop&) = delete;

    /// Turns until `root` has ended, then cancels what is left and turns until that has ended.
    void run(job& root, const bool& root_ended);

    void push(job& j) noexcept;
    /// The jobs that no other job waits for: `run` cancels them when its own has ended.
    job_list& owned() noexcept { return owned_; }
    void bounce(std::coroutine_handle<> h) noexcept { bounced_ = h; }
    timer_heap& timers() noexcept { return timers_; }
    reactor* where() const noexcept { return reactor_.get(); }
    void sleep_in(std::unique_ptr<reactor> r) noexcept { reactor_ = std::move(r); }
    const std::shared_ptr<mailbox>& box() const noexcept { return box_; }
    std::string describe_jobs() const;

private:
    void turn() noexcept;
    /// Until there is something to do.
    void sleep() noexcept;
    void run_ready() noexcept;
    bool run_one(job& j) noexcept;
    void run_watched(job& j) noexcept;
    /// Tells the failure handler that the coroutine with this `code` kept the loop until its job
    /// was suspended (`then`; null if it ended).
    void report_kept(duration took, const void* code, const job* then) const noexcept;
    void read_mail(mail* first) noexcept;
    static void describe(const job& j, std::size_t level, std::string& text);
    static std::string describe_wait(const job& j);

    job* ready_ = nullptr;
    job* ready_last_ = nullptr;
    job_list owned_;
    std::coroutine_handle<> bounced_;
    timer_heap timers_;
    std::shared_ptr<mailbox> box_;
    std::unique_ptr<reactor> reactor_;
    const std::int64_t watchdog_; ///< ns that a task may keep the loop; 0: nobody looks
};

} // namespace heddle::detail
