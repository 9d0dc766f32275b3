/// What an event loop runs, suspends and cancels. The protocol is in src/aio/README.md.
#pragma once

#include <heddle/time.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>

namespace heddle::detail {

class event_loop;
class job;
class job_list;
class mailbox;
class promise_base;

/// What this thread is running coroutines for; used by that thread only.
struct loop_here {
    event_loop* loop = nullptr;
    job* current = nullptr; ///< the job whose coroutines are running
    int depth = 0;          ///< resumptions on top of each other; see resume_nested()
};
extern constinit thread_local loop_here this_loop;

/// Throws invalid_state_error: `what` is possible only where a loop runs.
[[noreturn]] void throw_no_loop(const char* what);

/// A point where a job is suspended. It ends in exactly one resumption of the job.
///
/// Lifetime: lives in the frame of the coroutine that awaits it, so it may be gone as soon as the
/// job runs again.
class leaf {
public:
    leaf() noexcept = default;
    leaf(const leaf&) = delete;
    leaf& operator=(const leaf&) = delete;

    /// Asks for an early end: undo the registration and call `resume`, or, if the job must stay
    /// (its children have to end first), see to it that it ends soon. Called once at most, on the
    /// loop's thread, while suspended.
    virtual void cancel() noexcept = 0;
    /// What is awaited, in a word or two, for people.
    virtual const char* what() const noexcept = 0;
    /// The jobs whose end is awaited, if that is what it is.
    virtual const job_list* children() const noexcept { return nullptr; }

protected:
    ~leaf() = default;

    /// Notes the running job; true if it is cancelled: then nothing must be registered.
    bool refused(const char* wish);
    /// The job stops here, in the coroutine `at`, until `resume`.
    void suspend(std::coroutine_handle<> at) noexcept;
    /// Takes that back: the coroutine goes on at once.
    void unsuspend() noexcept;
    /// Lets the job go on at the loop's next turn. On the loop's thread.
    void resume() noexcept;
    /// Both in one: the job goes on in `at` at the loop's next turn.
    void yield(std::coroutine_handle<> at) noexcept;
    /// The same with `cancelled_error` thrown where the job awaits.
    void resume_cancelled() noexcept {
        refused_ = true;
        resume();
    }
    bool was_refused() const noexcept { return refused_; }
    void throw_if_refused() const {
        if (refused_) throw_cancelled();
    }
    [[noreturn]] static void throw_cancelled();

    job* job_ = nullptr;

private:
    bool refused_ = false;
};

/// A place in a `job_list`, or its head.
struct job_links {
    job_links* next = this;
    job_links* previous = this;
};

/// Jobs of one owner, in the order in which they began. A job leaves without knowing its list.
///
/// Thread safety: one loop. Lifetime: outlives the jobs in it.
class job_list {
public:
    job_list() noexcept = default;
    job_list(const job_list&) = delete;
    job_list& operator=(const job_list&) = delete;

    bool empty() const noexcept { return head_.next == &head_; }
    void add(job_links& j) noexcept {
        j.next = &head_;
        j.previous = head_.previous;
        head_.previous->next = &j;
        head_.previous = &j;
    }
    /// Calls `f` for each job; it must neither end one nor start one.
    template <class F>
    void for_each(F f) const;

private:
    job_links head_;
};

/// A stack of coroutines that await each other; the unit that is scheduled and cancelled.
///
/// Cancellation is a level, not an edge: once set, every leaf of the job ends in cancelled_error.
/// The size matters: with what a child adds it is one cache line.
///
/// Lifetime: the loop refers to it from start() to end().
class job : private job_links {
public:
    job(const job&) = delete;
    job& operator=(const job&) = delete;

    /// Puts the job into its owner's list and queues it; its task is resumed at the loop's next
    /// turn, never inside this call. There must be a running loop.
    void start(job_list& owner) noexcept;
    /// Cancels it: a job that has not begun never will, a suspended one is resumed with
    /// cancelled_error, a running one meets it at its next leaf. On the loop's thread.
    void cancel() noexcept;
    bool cancelled() const noexcept { return cancelled_; }
    /// It was cancelled before anything of it ran.
    bool skipped() const noexcept { return skipped_; }
    /// Its exception (cancelled_error if it was skipped), or null. Once it has ended.
    std::exception_ptr failure() const noexcept;
    /// It ended in an exception, or was skipped.
    bool failed() const noexcept;
    /// It was cancelled, and ended for that reason.
    bool cut() const noexcept;
    /// Its task has ended, or was skipped: leaves its list. The job MAY DIE inside.
    void end() noexcept;
    /// The coroutine of its task, while it has one.
    std::coroutine_handle<> root_handle() const noexcept;

protected:
    /// Takes charge of running a task, which ends this job when it ends. Throws
    /// invalid_state_error if `root` is null or somebody else runs it.
    explicit job(promise_base* root);
    virtual ~job() = default; // for -Wnon-virtual-dtor: friends could delete one
    /// Called last, in `end`. The job MAY DIE inside.
    virtual void done() noexcept = 0;
    /// The promise of its task; null once forgotten.
    promise_base* root() const noexcept { return root_; }
    void forget_root() noexcept { root_ = nullptr; }

private:
    friend class leaf;
    friend class event_loop;
    friend class job_list;

    enum class state : unsigned char { queued, running, suspended };

    /// It runs soon: fetches its coroutine into the cache.
    void prefetch() const noexcept { __builtin_prefetch(at_.address()); }

    promise_base* root_;
    std::coroutine_handle<> at_; ///< the coroutine to resume, while it is not running
    union {
        job* next_ready_ = nullptr; ///< while queued
        leaf* waiting_;             ///< while suspended: where
    };
    state state_ = state::queued;
    bool started_ = false;
    bool cancelled_ = false;
    bool skipped_ = false;
};

template <class F>
void job_list::for_each(F f) const {
    for (job_links* at = head_.next; at != &head_; at = at->next) f(static_cast<job&>(*at));
}

/// The running job. Throws invalid_state_error outside a loop; `what` names the caller's wish.
inline job& this_job(const char* what) {
    if (!this_loop.current) throw_no_loop(what);
    return *this_loop.current;
}

inline bool leaf::refused(const char* wish) {
    job_ = &this_job(wish);
    return refused_ = job_->cancelled_;
}
inline void leaf::suspend(std::coroutine_handle<> at) noexcept {
    job_->at_ = at;
    job_->waiting_ = this;
    job_->state_ = job::state::suspended;
}
inline void leaf::unsuspend() noexcept {
    job_->state_ = job::state::running;
}

/// Resumes `h` on top of the running coroutine; if the stack is deep already, leaves it to the loop
/// when the stack has unwound. All of our transfers go through here rather than through symmetric
/// transfer, which needs tail calls: g++ makes none below -O2, nor under the sanitizers.
inline constexpr int deepest_resume = 64;
void resume_from_loop(std::coroutine_handle<> h) noexcept;
inline void resume_nested(std::coroutine_handle<> h) {
    loop_here& here = this_loop;
    if (here.depth >= deepest_resume) {
        resume_from_loop(h);
        return;
    }
    ++here.depth;
    h.resume();
    --here.depth;
}

/// A deadline in the loop's heap.
class timer {
public:
    timer() noexcept = default;
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;
    /// Puts it into the running loop's heap. Throws std::bad_alloc, unchanged.
    void arm(deadline at);
    /// Takes it out, if it is in.
    void disarm() noexcept;
    bool armed() const noexcept { return index_ != none; }
    /// Its time has come; it is out of the heap.
    virtual void expired() noexcept = 0;

protected:
    virtual ~timer() = default; // as in job

private:
    friend class timer_heap;
    static constexpr std::size_t none = static_cast<std::size_t>(-1);
    std::size_t index_ = none;
};

/// Something for a loop's thread to do, sent from any thread.
struct mail {
    mail* next = nullptr;
    void (*run)(mail&) noexcept = nullptr; ///< the mail MAY DIE inside
};

/// The list of the running loop's own jobs: those that no other job waits for.
job_list& loop_jobs() noexcept;
/// The running loop's mailbox; keeps accepting (and refusing) mail after the loop has gone.
const std::shared_ptr<mailbox>& this_mailbox();
/// Sends `m`; false if the loop has gone. Any thread; wakes the loop if it sleeps.
bool post(mailbox& to, mail& m) noexcept;

/// The name and place of a coroutine's function, while its frame exists; for people. Slow.
std::string describe_coroutine(std::coroutine_handle<> h);

} // namespace heddle::detail
