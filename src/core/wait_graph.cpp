#include "wait_graph.hpp"

#include <heddle/error.hpp>

#include <algorithm>
#include <mutex>
#include <vector>

// Only blocking waits without a time limit, made inside tasks, come here: the slow path of the
// slow path. So one mutex and plain vectors do.
//
// Why a reported cycle is a true one: a task that is being run by a blocked thread cannot end
// before that wait does, whether it is the innermost one on that thread or an outer one, because
// an inner task is run in the course of the outer one. All edges are held by threads that are
// noted as blocked while we hold the mutex, so they are all true at the same time. And no cycle is
// missed: whoever blocks last sees all the other edges. The tasks in the graph are alive because
// those who wait for them hold handles.
//
// A wait for any of several tasks ends with the first, so a way back is not enough: every way has
// to lead back. Hence not a search for a path but for a fixed point: all threads that the wait
// depends on count as stuck, until one of them is found to wait for something that can go on.

namespace heddle::detail {

namespace {

struct edge {
    const context* waiter;
    std::span<task* const> tasks;
    bool all;
};

struct wait_graph {
    std::mutex mutex;
    std::vector<edge> edges;
};

wait_graph& graph() {
    static wait_graph* one = new wait_graph; // never destroyed: tasks may outlive main
    return *one;
}

const edge* edge_of(const context* waiter) {
    const auto& edges = graph().edges;
    const auto found =
        std::find_if(edges.begin(), edges.end(), [&](const edge& e) { return e.waiter == waiter; });
    return found == edges.end() ? nullptr : &*found;
}

/// The thread that runs `t`, or null if it is not running.
const context* runner_of(const task* t) {
    const context* const runner = t ? t->runner() : nullptr;
    return runner && t->current() == phase::running ? runner : nullptr;
}

/// The waits that `first`, which is about to begin, depends on, and which of them can never end.
class search {
public:
    explicit search(const edge& first) {
        stuck_.push_back(first);
        bool leads_back = false;
        for (std::size_t i = 0; i < stuck_.size(); ++i) {
            for (const task* t : stuck_[i].tasks) {
                const context* const runner = runner_of(t);
                leads_back |= runner == first.waiter;
                const edge* const next = runner && !stuck(runner) ? edge_of(runner) : nullptr;
                if (next) stuck_.push_back(*next);
            }
        }
        if (!leads_back) stuck_.clear();
        // The last pass erases nothing, so it sees the list as it stays.
        while (std::erase_if(stuck_, [this](const edge& e) { return can_end(e); }) > 0) {
        }
    }

    /// True if the wait of `waiter` can never end.
    bool stuck(const context* waiter) const { return wait_of(waiter) != nullptr; }

    /// The tasks along a way from the stuck `waiter` back to it.
    std::vector<const task*> way_back(const context* waiter) const {
        std::vector<const task*> way;
        const context* at = waiter;
        do {
            const auto& tasks = wait_of(at)->tasks;
            const auto next = std::find_if(
                tasks.begin(), tasks.end(), [this](task* t) { return stuck(runner_of(t)); });
            way.push_back(*next);
            at = runner_of(*next);
        } while (at != waiter && way.size() <= stuck_.size());
        return way;
    }

private:
    const edge* wait_of(const context* waiter) const {
        const auto found = std::find_if(
            stuck_.begin(), stuck_.end(), [&](const edge& e) { return e.waiter == waiter; });
        return found == stuck_.end() ? nullptr : &*found;
    }
    bool can_end(const edge& e) const {
        const auto never_done = [this](const task* t) { return stuck(runner_of(t)); };
        if (e.all) return std::none_of(e.tasks.begin(), e.tasks.end(), never_done);
        return !std::all_of(
            e.tasks.begin(), e.tasks.end(), [&](const task* t) { return !t || never_done(t); });
    }

    std::vector<edge> stuck_;
};

} // namespace

void enter_wait_graph(const context& waiter, std::span<task* const> tasks, bool all) {
    std::lock_guard lock(graph().mutex);
    const edge wait{&waiter, tasks, all};
    if (const search found(wait); found.stuck(&waiter)) {
        std::string text = "waiting here would never end: task " + waiter.current->describe();
        const char* link = " waits for task ";
        const std::vector<const task*> way = found.way_back(&waiter);
        for (const task* t : way) {
            text += link + t->describe();
            link = ", which waits for task ";
        }
        if (way.back() != waiter.current) text += ", which waits for it on this thread";
        throw would_deadlock_error(text + "; let one of them finish without waiting");
    }
    graph().edges.push_back(wait);
}

void hold_wait_graph(bool hold) noexcept {
    std::mutex& mutex = graph().mutex;
    hold ? mutex.lock() : mutex.unlock();
}

void leave_wait_graph(const context& waiter) noexcept {
    std::lock_guard lock(graph().mutex);
    std::erase_if(graph().edges, [&](const edge& e) { return e.waiter == &waiter; });
}

} // namespace heddle::detail
