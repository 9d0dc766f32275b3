/// Waiting for many tasks at once: completions arrive in a queue, each once, in finish order.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/detail/task.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace heddle::detail {

/// Removes repeated tasks, keeping the first of each in order. O(n).
void unique_tasks(std::vector<task*>& tasks);

/// Waits for `front`; true if it is done before `limit`. If it has to sleep, it does so until
/// `later` is done as well, but not longer than `at_most`: a consumer that is faster than the
/// workers is then woken once for the tasks between the two, and not once for each.
bool wait_for_batch(task& front, task& later, duration at_most, deadline limit);

/// Sleeps until `word` is `enough`, but not longer than some 0.3 ms.
void nap_until_at_least(const atomic<std::int64_t>& word, std::int64_t enough) noexcept;

/// Gives the tasks of a set one by one as they finish. O(1) for each completion, one wake-up for
/// a whole burst; the protocol is in src/core/README.md [Completions].
///
/// Thread safety: one consumer. Lifetime: the tasks must be kept alive by handles that outlive
/// the queue; destroying it takes back every hook.
class completion_queue {
public:
    completion_queue() = default;
    /// Registers with each of `tasks`, which holds no task twice. Those that are done already
    /// come first, in the order given.
    explicit completion_queue(std::span<task* const> tasks);
    ~completion_queue();
    completion_queue(const completion_queue&) = delete;
    completion_queue& operator=(const completion_queue&) = delete;

    /// Registers with one more task and returns its index, which is one that pop() has returned
    /// before if there is any. Throws std::bad_alloc, unchanged.
    std::size_t add(task& t);
    /// Waits for the next completion; returns its index, or `none` on timeout. Must not be called
    /// more often than there are tasks. With `all` the caller is going to wait for every task
    /// that is left, which matters for finding cycles only.
    std::size_t pop(deadline limit, bool all);
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

private:
    struct entry final : hook {
        completion_queue* queue = nullptr;
        std::size_t index = 0;
        entry* next_done = nullptr;
    };

    static void arrived(hook& self, task& done) noexcept;
    void collect() noexcept;
    bool help();
    void require_all_reachable();
    void sleep(deadline limit, bool all);

    std::vector<task*> tasks_; ///< null for those that were given
    std::deque<entry> entries_;
    std::vector<std::size_t> free_; ///< indices that can be used again
    entry* ready_ = nullptr;        ///< in finish order; the consumer's own
    entry* ready_last_ = nullptr;
    std::size_t open_ = 0;         ///< tasks whose completion has not gone through ready_
    std::size_t next_to_help_ = 0; ///< tasks before this one have started
    int reachable_after_ = -1;     ///< forks survived when all tasks were found reachable
    /// Protocol: a stack of completed entries, pushed by finishing threads, taken whole by the
    /// consumer; `asleep()` in place of an empty stack while the consumer sleeps. A pusher's
    /// compare-exchange is its last access to the queue.
    atomic<entry*> arrived_{nullptr};

    static entry* asleep() noexcept;
};

} // namespace heddle::detail
