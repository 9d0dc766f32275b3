/// The one object behind a future: the task, its state word, and (in state.hpp) its result.
///
/// The states, the transitions and the argument why nothing is lost or freed early are in
/// src/core/README.md; names in square brackets below refer to its sections.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/time.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <source_location>
#include <string>

namespace heddle::detail {

class task;
struct context;

/// What became of a task so far. `setting` is a promise whose value is being written; `spent` a
/// task that nobody can look at any more, and whose result is gone already. [Last]
enum class phase : std::uint32_t { pending, running, setting, value, failed, cancelled, spent };

/// Something to be told when a task is done: a sleeping thread, a callback, a set of waiters.
///
/// Lifetime: the hook MAY DIE inside `fire`; whoever fires it touches it no more.
struct hook {
    hook* next = nullptr;
    void (*fire)(hook& self, task& done) noexcept = nullptr;
    bool wakes_thread = false; ///< fired at once, however deep the chain of completions is
};

/// Name, priority and place of a task that was submitted with options.
struct task_info {
    std::string name;
    int priority = 0;
    std::source_location where;
};

/// What a queued task belongs to.
class task_owner {
public:
    /// Tells that a queued task was cancelled; it is still in the queue, and will be dropped there.
    virtual void cancelled_while_queued() noexcept = 0;

protected:
    ~task_owner() = default;
};

class task {
public:
    /// What the concrete task type can do; one static table a type.
    struct operations {
        phase (*run)(task&);                  ///< call, store result, destroy the closure
        void (*drop_closure)(task&) noexcept; ///< destroy callable and arguments, uncalled
        void (*drop_result)(task&) noexcept;  ///< destroy the result alone
        void (*destroy)(task&) noexcept;      ///< destroy result, free the object
        void (*store_failure)(task&, std::exception_ptr) noexcept;
        std::exception_ptr (*failure)(const task&) noexcept;
        bool (*request_stop)(task&) noexcept; ///< null if the callable takes no stop token
        /// Null, or: gets the result without the executor's thread where it can, before a thread
        /// sleeps; if the task is not done then, the thread sleeps as it does for any other.
        void (*fetch)(task&) noexcept = nullptr;
    };

    static constexpr std::uint32_t one_handle = 1u << 8;

    task(const operations& ops, std::uint32_t handles, bool owned) noexcept
        : operations_(&ops), state_(handles * one_handle | (owned ? owned_bit : 0)) {}
    /// For a task that is done from the start (make_ready_future).
    task(const operations& ops, phase done) noexcept
        : operations_(&ops), state_(one_handle | static_cast<std::uint32_t>(done)) {}
    task(const task&) = delete;
    task& operator=(const task&) = delete;

    // Looking. Never block.
    phase current() const noexcept {
        // acquire: a done phase publishes the result; pairs with the release in finish() [Done].
        return phase_of(state_.load(std::memory_order_acquire));
    }
    bool done() const noexcept { return current() >= phase::value; }
    /// Marks the failure as seen, so that it is not reported when the last handle goes.
    void look() noexcept {
        // relaxed: only the thread that destroys the task reads the bit, after [Last].
        if (current() == phase::failed) state_.fetch_or(looked_bit, std::memory_order_relaxed);
    }
    /// True if the caller's handle is the only one. Callbacks not yet run count as handles.
    bool only_handle() const noexcept {
        // acquire: pairs with the release in drop_handle(), so the other handles' reads are over.
        return handles_of(state_.load(std::memory_order_acquire)) == 1;
    }

    // Handles. [Last]
    void add_handle() noexcept {
        // relaxed: a new handle is made from one that keeps the task alive.
        const std::uint32_t old = state_.fetch_add(one_handle, std::memory_order_relaxed);
        if (old >> 31) die_of_too_many_handles(); // long before the count of 24 bits wraps
    }
    void drop_handle() noexcept {
        // acquire: pairs with every release of the others who let go before us.
        const std::uint32_t seen = state_.load(std::memory_order_acquire);
        if (handles_of(seen) == 1) {
            if (!(seen & held_bits)) {
                destroy(); // nobody else can reach the task, so no read-modify-write is needed
                return;
            }
            // The executor is about to let go, but nobody can look any more: settle it now.
            if (phase_of(seen) >= phase::value) settle();
        }
        // acq_rel: our use of the result comes before the destruction by whoever is last.
        const std::uint32_t old = state_.fetch_sub(one_handle, std::memory_order_acq_rel);
        if (handles_of(old) == 1 && !(old & held_bits)) destroy();
    }
    /// Waits (a few instructions) until the executor of a done task has let go of it: after that
    /// the caller's handle is all that is left, and the task may live on the caller's stack.
    void await_release() const noexcept;
    /// The executor (or promise) lets go of a task that it did not finish itself.
    void drop_owner() noexcept;

    // Transitions.
    /// pending → running; false if it was cancelled or claimed. The caller runs it.
    bool start() noexcept;
    /// pending or running → setting, for a promise; false if it is done or being set.
    bool start_setting(phase& before) noexcept;
    /// setting → `before`: the value could not be built.
    void undo_setting(phase before) noexcept;
    /// → `end`, fires hooks. With `release_owner` lets go as well: the task MAY DIE in the call.
    void finish(phase end, bool release_owner) noexcept;
    /// The same, by a thread that has a handle and is not the executor's, if nobody is to be told,
    /// since callbacks are called where they were promised to be; else false, nothing was done.
    bool finish_untold(phase end) noexcept;
    /// Like start() and finish() for a caller who holds the only handle as an rvalue and has
    /// taken the task out of its queue: nobody else can see it, so plain stores do. [Alone]
    bool start_alone() noexcept {
        const std::uint32_t s = state_.load(std::memory_order_acquire); // as in drop_handle()
        // One handle and pending, which is 0: asked by one comparison.
        if ((s & (all_handles | phase_mask)) != one_handle) return false;
        // relaxed: the caller's is the only reference. [Alone]
        state_.store(s | static_cast<std::uint32_t>(phase::running), std::memory_order_relaxed);
        return true;
    }
    void finish_alone(phase end) noexcept {
        // relaxed: as above; no handle can have been copied from the caller's since.
        const std::uint32_t s = state_.load(std::memory_order_relaxed);
        state_.store(with(s & ~owned_bit, end), std::memory_order_relaxed);
    }
    /// pending → cancelled, unless it is not pending; true if it is cancelled now.
    bool cancel(bool by_owner = false) noexcept;
    /// pending → failed with `why`, by the owner, who lets go. [Broken]
    void fail(std::exception_ptr why) noexcept;
    /// Asks a task that takes a stop token to stop; false if it does not take one or is done.
    bool request_stop() noexcept;

    // Waiting.
    /// Waits until done; false on timeout. Throws would_deadlock_error, forked_error.
    bool wait(deadline limit);
    /// wait() for the holder of the only handle, as an rvalue: the fast way through. [Alone]
    void wait_alone();
    /// Registers `h`, to be fired once; false if the task is done already (then `h` is unused).
    bool add_hook(hook& h) noexcept;
    /// Takes `h` out again; false if it has been or is being fired.
    bool remove_hook(hook& h) noexcept;

    // What it is.
    void set_info(task_info* info) noexcept { // takes ownership
        origin_ = reinterpret_cast<std::uintptr_t>(info) | info_tag;
    }
    void set_address(const void* call) noexcept {
        origin_ = reinterpret_cast<std::uintptr_t>(call);
    }
    bool has_info() const noexcept { return (origin_ & info_tag) != 0; }
    const task_info* info() const noexcept {
        return has_info() ? reinterpret_cast<const task_info*>(origin_ & ~info_tag) : nullptr;
    }
    const void* address() const noexcept {
        return has_info() ? nullptr : reinterpret_cast<const void*>(origin_);
    }
    int priority() const noexcept { return info() ? info()->priority : 0; }
    /// The task's name, or the place where it was submitted.
    std::string describe() const;

    /// Notes who queues the task, and after how many forks of the process.
    void set_owner(task_owner* owner, int forks) noexcept {
        queued_after_ = forks;
        // relaxed: written before the task is queued, which publishes it.
        place_.store(reinterpret_cast<std::uintptr_t>(owner), std::memory_order_relaxed);
    }
    /// After how many forks an executor queued the task; negative if none did.
    int queued_after() const noexcept { return queued_after_; }
    /// Tells whether `owner` queued the task and it does not run yet.
    bool waits_in(const task_owner& owner) const noexcept {
        // relaxed: compared only, and stable while the task is pending.
        return place_.load(std::memory_order_relaxed) == reinterpret_cast<std::uintptr_t>(&owner);
    }
    /// The thread that runs the task, or null.
    context* runner() const noexcept;
    void set_runner(context& runner) noexcept;

    const operations& ops() const noexcept { return *operations_; }
    /// Frees a task that was never shown to anybody, closure and all.
    void discard() noexcept;

protected:
    ~task() = default;

private:
    static constexpr std::uint32_t phase_mask = 7, hooked_bit = 8, locked_bit = 16, looked_bit = 32,
                                   owned_bit = 64, deferred_bit = 128,
                                   held_bits = owned_bit | deferred_bit,
                                   all_handles = ~(one_handle - 1);
    static constexpr std::uintptr_t info_tag = std::uintptr_t{1} << 63;

    static phase phase_of(std::uint32_t s) noexcept { return static_cast<phase>(s & phase_mask); }
    static std::uint32_t handles_of(std::uint32_t s) noexcept { return s / one_handle; }
    static std::uint32_t with(std::uint32_t s, phase p) noexcept {
        return (s & ~phase_mask) | static_cast<std::uint32_t>(p);
    }

    [[noreturn]] static void die_of_too_many_handles() noexcept;
    void destroy() noexcept;
    void drop_info() noexcept;
    void settle() noexcept;
    void report_unseen() noexcept;
    void lock_hooks() noexcept;
    void unlock_hooks() noexcept;
    void fire_hooks() noexcept;
    void defer() noexcept;
    static void fire_all(hook* callbacks, task& first) noexcept;
    void let_go(std::uint32_t holder) noexcept;
    /// The owner of a pending task; null once it runs.
    task_owner* owner() const noexcept;

    const operations* operations_;
    /// Protocol "state word" (src/core/README.md): bits 0-2 the phase, 3 hooks are registered,
    /// 4 the hook list is being changed, 5 somebody looked at the failure, 6 the executor or
    /// promise holds the object, 7 its callbacks were put off and hold it, 8-31 the number of
    /// handles.
    atomic<std::uint32_t> state_;
    int queued_after_ = -1; ///< see queued_after(); written before the task is queued
    hook* hooks_ = nullptr; ///< newest first; guarded by locked_bit
    /// Protocol: the owner while pending, 0 once it knows of a cancellation; the runner's context,
    /// tagged with 1, while running; a link between tasks whose callbacks were put off, tagged with
    /// 2, once done. [Chains]
    atomic<std::uintptr_t> place_{0};
    std::uintptr_t origin_ = 0;
};

/// Runs a task that start() gave us, on this thread, and finishes it.
///
/// With `release_owner` lets go of it too (see finish()). Lets only forced unwinding through
/// (pthread_exit), after the task has failed with broken_executor_error.
void execute(task& t, bool release_owner);
/// The same for a task that start_alone() gave us; the caller keeps the one handle. [Alone]
void execute_alone(task& t);

} // namespace heddle::detail
