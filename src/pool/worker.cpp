/// What one thread of a pool does.
#include "../core/crash.hpp"
#include "pool.hpp"

#include <heddle/error.hpp>

#include <pthread.h>

namespace heddle::detail {

namespace {

/// "NAME-12" in the 15 characters that Linux allows, cutting the name rather than the number.
void name_this_thread(const std::string& name, int index) {
    const std::string number = '-' + std::to_string(index);
    const std::string text = name.substr(0, 15 - number.size()) + number;
    pthread_setname_np(pthread_self(), text.c_str());
}

/// The lowest address to which this thread's stack should grow while running tasks for others.
const char* lowest_stack_address() {
    constexpr std::size_t reserve = 256 * 1024;
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return nullptr;
    void* base = nullptr;
    std::size_t size = 0;
    pthread_attr_getstack(&attributes, &base, &size);
    pthread_attr_destroy(&attributes);
    return static_cast<const char*>(base) + (size > 2 * reserve ? reserve : size / 2);
}

} // namespace

void worker::main(bool searching) {
    const crash_stack for_crashes;
    name_this_thread(pool_.options_.name, index_);
    stack_limit_ = lowest_stack_address();
    this_thread.host = this;
    this_thread.executor = &pool_;
    if (pool_.options_.initializer) {
        try {
            pool_.options_.initializer();
        } catch (...) {
            pool_.break_down(detail::describe(std::current_exception()));
        }
    }
    work item;
    while (idle(searching, item)) {
        searching = false;
        do {
            run(item);
            // relaxed: a hint; idle() looks again with the mutex held.
            if (pool_.surplus_.load(std::memory_order_relaxed)) break;
        } while (find(item));
    }
}

void worker::run(work& item) {
    // acquire: sees the cause; pairs with the release in break_down(). What slips through runs as
    // before the pool broke.
    if (pool_.is_broken_.load(std::memory_order_acquire)) [[unlikely]] {
        pool_.fail_broken(item);
    } else if (task* const t = item.whole) {
        prefetch_to_write(t); // start() writes there
        if (t->start()) {
            count_start();
            if (pool_.room_) pool_.room_->leave();
            execute(*t, true);
        } else {
            t->drop_owner(); // cancelled, or run by a waiter
        }
    } else {
        count_start();
        item.call.invoke(item.call.payload, item.call.address);
    }
}

void worker::push(task& t) {
    push_uncounted(t);
    count_push();
}

void worker::push_uncounted(task& t) {
    deque_.push(&t);
    light_barrier(); // [Nested]
    if (load_light(pool_.wakeable_)) pool_.wake_for_nested();
}

bool fork(pool& of, task& t) {
    if (!of.is_own_thread()) return false;
    auto& here = *static_cast<worker*>(this_thread.host);
    if (!here.fork_quickly(t)) here.push_uncounted(t);
    return true;
}

bool unfork(pool&, task& t) noexcept {
    return static_cast<worker*>(this_thread.host)->unfork(t);
}

bool worker::stack_is_deep() const noexcept {
    return static_cast<const char*>(__builtin_frame_address(0)) < stack_limit_;
}

// Not to be inlined into run_alone(), whose usual way needs few registers.
[[gnu::noinline]] bool worker::run_if_pending(task& t) {
    if (t.current() != phase::pending || !t.waits_in(pool_) || stack_is_deep()) return false;
    const bool ours_alone = deque_.pop_if(&t);
    if (!t.start()) {
        if (ours_alone) t.drop_owner();
        return false;
    }
    count_start();
    if (pool_.room_) pool_.room_->leave();
    // If the task is still in a queue, whoever finds it there will let go of it.
    execute(t, ours_alone);
    return true;
}

bool worker::run_alone(task& t) {
    if (!t.waits_in(pool_) || pool_.room_ || stack_is_deep() || !deque_.pop_if(&t)) {
        return run_if_pending(t);
    }
    if (!t.start_alone()) return run_taken(t);
    count_start();
    execute_alone(t);
    return true;
}

/// Runs a task that was taken out of its queue, unless it was cancelled; true if it ran.
[[gnu::noinline]] bool worker::run_taken(task& t) {
    if (!t.start()) {
        t.drop_owner();
        return false;
    }
    count_start();
    execute(t, true);
    return true;
}

} // namespace heddle::detail
