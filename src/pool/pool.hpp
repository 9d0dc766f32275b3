/// The engine behind `thread_pool`: queues, workers, and who is woken when. The protocols, and why
/// no wake-up is lost, are in src/pool/README.md.
#pragma once

#include "../core/context.hpp"
#include "deque.hpp"
#include "lane.hpp"
#include "room.hpp"

#include <heddle/detail/parking.hpp>
#include <heddle/thread_pool.hpp>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace heddle::detail {

class worker;

/// Thread safety: all public members may be called from any thread. Lifetime: shared by the
/// `thread_pool` and by each of its threads.
class pool final : public task_owner, public std::enable_shared_from_this<pool> {
public:
    /// Starts the workers. Throws std::invalid_argument, std::system_error (not even one thread).
    static std::shared_ptr<pool> start(thread_pool_options options);
    ~pool();

    /// Takes a task over and queues it. If it throws, the task is as it was.
    void enqueue(task& t);
    bool enqueue_quickly(task& t) noexcept;
    /// enqueue(), but if it throws, the task is gone.
    void enqueue_or_discard(task& t);
    void enqueue(const small_call& call);
    bool bounded() const noexcept { return room_.has_value(); }

    int worker_count() const noexcept { return static_cast<int>(started_with_); }
    std::size_t pending_count() const noexcept;
    void shut_down(shutdown_options options);
    /// For ~thread_pool: drains and joins, unless this is one of the pool's own threads, which
    /// cannot wait for itself: then the threads end by themselves.
    void close() noexcept;

    bool is_own_thread() const noexcept { return this_thread.executor == this; }
    bool has_urgent() const noexcept {
        return urgent_.load(std::memory_order_relaxed) != 0; // a hint; take_ranked() locks
    }

    void cancelled_while_queued() noexcept override;
    bool gone_after_fork() const noexcept {
        // relaxed: see forks_survived.
        return forks_survived.load(std::memory_order_relaxed) != born_in_;
    }

private:
    friend class worker;

    explicit pool(thread_pool_options options);

    // Submitting (submit.cpp).
    void require_open() const; // with mutex_ held
    [[noreturn]] void refuse_shut_down() const;
    void require_not_forked() const;
    /// The worker that calls, if it is ours. Null in the destructors of a worker's thread-locals,
    /// when it runs nothing any more.
    worker* own_worker() const noexcept;
    void push_outside(const work& item);
    void wake_for_push(std::unique_lock<light_mutex> lock);
    void wake_for_nested();
    void push_ranked(task& t);
    bool make_room(task& t);

    // Finding work (search.cpp).
    bool take_outside(work& into) noexcept;
    bool take_ranked(bool above_normal, work& into) noexcept;
    task* steal(const worker* thief) noexcept;
    bool work_visible() const noexcept;
    bool deques_look_empty() const noexcept;
    void drain(void (*end)(pool&, work&));

    // Who is awake (sleep.cpp). `lock` holds mutex_.
    using lock_type = std::unique_lock<light_mutex>;
    struct wake_up {
        worker* sleeper = nullptr;
        bool new_thread = false;
    };
    wake_up choose_wake_up() noexcept;     // with mutex_ held
    void carry_out(const wake_up& chosen); // without
    void update_hints() noexcept;          // with mutex_ held
    bool finish_if_idle(lock_type& lock) noexcept;
    void add_thread(bool searching);
    void thread_ended() noexcept;
    void break_down(const std::string& cause) noexcept;
    void fail_broken(work& item) noexcept;

    const thread_pool_options options_;
    const int max_workers_;
    int started_with_ = 0; ///< fewer than max_workers_ if threads could not be had
    const int born_in_;

    /// Guards what follows, up to the hints. Never held while user code or the kernel runs,
    /// except for memory.
    alignas(64) mutable light_mutex mutex_;
    bool searching_ = false;     ///< one worker is looking for work, or on its way to
    int awake_ = 0;              ///< workers neither asleep nor blocked in a wait
    int blocked_ = 0;            ///< workers blocked in a wait that Heddle knows of
    bool shut_down_ = false;     ///< no more work from outside
    bool finished_ = false;      ///< everything has ended; workers leave
    bool detached_ = false;      ///< nobody will join
    worker* sleepers_ = nullptr; ///< last in, first out: the warmest is woken
    std::uint64_t pushed_ranked_ = 0;
    /// Priorities other than 0; and what a thread of the pool pushes that is no worker any more.
    std::map<int, std::deque<task*>, std::greater<>> ranked_;
    std::vector<std::unique_ptr<worker>> workers_;
    std::vector<std::thread> threads_;
    int live_threads_ = 0;
    std::string broken_;
    wait_list ended_; ///< those who wait for live_threads_ to become 0

    lane lane_;

    // Hints, written with mutex_ held, read without.
    /// Protocol [Nested]: true if a push from a worker should wake somebody.
    alignas(64) atomic<bool> wakeable_{false};
    /// Protocol: true if more than max_workers_ are awake: who comes to a boundary sleeps.
    atomic<bool> surplus_{false};
    atomic<bool> is_broken_{false};
    /// Protocol: how many tasks of priority above, and below, 0 are queued.
    atomic<int> urgent_{0}, background_{0};
    /// Protocol [Workers]: a list that only grows, for thieves; `worker::next` is set before.
    atomic<worker*> all_workers_{nullptr};
    /// Protocol: counts for pending_count(); no data depends on it.
    atomic<std::uint64_t> cancelled_{0}, ended_unrun_{0};

    std::optional<room> room_;
};

/// One thread of a pool.
class worker final : public host {
public:
    worker(pool& of, int index) : pool_(of), index_(index) {}

    /// The thread's whole life; `searching` if it was started to search for work.
    void main(bool searching);
    void push(task& t);
    /// The same where it takes a few instructions; false if not, and nothing was done.
    bool push_quickly(task& t) noexcept {
        if (!fork_quickly(t)) return false;
        count_push();
        return true;
    }
    /// For join(): a task on the stack, which is not counted unless it is stolen.
    void push_uncounted(task& t);
    bool fork_quickly(task& t) noexcept {
        if (!deque_.push_quickly(&t)) return false;
        wake_if_wanted();
        return true;
    }
    bool unfork(task& t) noexcept {
        if (deque_.pop_if(&t)) return true;
        count_push(); // so that the thief's start is balanced
        return false;
    }

    bool run_if_pending(task& t) override;
    bool run_alone(task& t) override;
    void blocking() override;
    void unblocked() noexcept override;

private:
    friend class pool;

    // Each puts the next piece of work into `into`, which it may change in any case; false: none.
    bool find(work& into);
    bool idle(bool searching, work& into);
    bool search(work& into);
    void stop_searching();
    bool sleep(pool::lock_type lock);
    bool take_token() noexcept;
    void stay_awake() noexcept;
    void park() noexcept;
    void run(work& item);
    bool run_taken(task& t);
    void count_push() noexcept {
        // relaxed: as in count_start().
        pushed_.store(pushed_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    void count_start() noexcept {
        // relaxed: one writer; a count, no data depends on it.
        started_.store(started_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    bool stack_is_deep() const noexcept;
    void wake_if_wanted() noexcept {
        light_barrier(); // [Nested]
        if (load_light<true>(pool_.wakeable_)) [[unlikely]]
            pool_.wake_for_nested();
    }

    pool& pool_;
    const int index_;
    deque deque_;
    worker* next_ = nullptr; ///< in pool::all_workers_
    worker* next_sleeper_ = nullptr;
    bool asleep_ = false; ///< in pool::sleepers_; guarded by pool::mutex_
    std::uint32_t ticks_ = 0;
    spin_habit spinning_; ///< while it looks for work
    const char* stack_limit_ = nullptr;
    /// Protocol [Parking]: 0 while asleep, 1 once woken; set by whoever takes the worker out of
    /// pool::sleepers_.
    alignas(64) atomic<std::uint32_t> woken_{0};
    /// Protocol: counts for pending_count(), written by this worker only.
    atomic<std::uint64_t> started_{0}, pushed_{0};
};

} // namespace heddle::detail
