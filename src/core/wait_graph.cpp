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
// an inner task is only ever run by a wait for itself. All edges on the path are held by threads
// that are noted as blocked while we hold the mutex, so they are all true at the same time. And no
// cycle is missed: whoever blocks last sees all the other edges. The tasks in the graph are alive
// because those who wait for them hold handles.

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

/// Looks for a way back to `target` along blocked threads; the tasks passed are left in `path`.
class search {
public:
    explicit search(const context* target) : target_(target) {}

    /// True if `wait` can never end because it waits, in the end, for `target_`.
    bool hopeless(std::span<task* const> tasks, bool all) {
        const std::size_t length = path.size();
        bool any_open = false;
        for (task* t : tasks) {
            if (!t || t->done()) {
                if (!all && t) return false;
                continue;
            }
            const bool leads = leads_back(*t);
            if (all && leads) return true; // keeps the path that led here
            if (!all && !leads) {
                path.resize(length);
                return false;
            }
            any_open = true;
        }
        return !all && any_open;
    }

    std::vector<const task*> path;

private:
    bool leads_back(const task& t) {
        const context* const runner = t.runner();
        if (t.current() != phase::running || !runner) return false;
        path.push_back(&t);
        if (runner == target_) return true;
        const edge* next = edge_of(runner);
        const bool seen = std::find(visited_.begin(), visited_.end(), runner) != visited_.end();
        if (next && !seen) {
            visited_.push_back(runner);
            if (hopeless(next->tasks, next->all)) return true;
        }
        path.pop_back();
        return false;
    }

    const context* target_;
    std::vector<const context*> visited_;
};

} // namespace

void enter_wait_graph(const context& waiter, std::span<task* const> tasks, bool all) {
    std::lock_guard lock(graph().mutex);
    search back(&waiter);
    if (back.hopeless(tasks, all)) {
        std::string text = "waiting here would never end: task " + waiter.current->describe();
        for (const task* t : back.path) text += " waits for task " + t->describe() + ", which";
        text.resize(text.size() - std::string_view(", which").size());
        if (back.path.back() != waiter.current) {
            text += ", which waits for it on this thread";
        }
        throw would_deadlock_error(text + "; let one of them finish without waiting");
    }
    graph().edges.push_back({&waiter, tasks, all});
}

void leave_wait_graph(const context& waiter) noexcept {
    std::lock_guard lock(graph().mutex);
    std::erase_if(graph().edges, [&](const edge& e) { return e.waiter == &waiter; });
}

} // namespace heddle::detail
