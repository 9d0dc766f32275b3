/// The life of a pool: its threads' beginning and end.
#include "pool.hpp"

#include <heddle/error.hpp>
#include <heddle/failure.hpp>

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>
#include <system_error>

namespace heddle::detail {

namespace {

int checked_worker_count(const thread_pool_options& options) {
    constexpr int most = 10'000;
    const int wanted = options.max_workers.value_or(available_parallelism());
    if (wanted < 1 || wanted > most) {
        throw std::invalid_argument("thread_pool: max_workers is " + std::to_string(wanted) +
                                    "; it must be 1 to " + std::to_string(most));
    }
    return wanted;
}

/// Blocks all signals that are sent to the process, so that threads started meanwhile leave them
/// to the program's own threads.
class signals_blocked {
public:
    signals_blocked() {
        sigset_t all;
        sigfillset(&all);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
            sigdelset(&all, fault);
        }
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

private:
    sigset_t before_{};
};

} // namespace

pool::pool(thread_pool_options options)
    : options_(std::move(options)), max_workers_(checked_worker_count(options_)),
      born_in_(forks_survived.load(std::memory_order_relaxed)) { // see forks_survived
    if (options_.max_pending > 0) room_.emplace(options_.max_pending);
}

pool::~pool() = default;

std::shared_ptr<pool> pool::start(thread_pool_options options) {
    watch_forks();
    choose_barriers();
    std::shared_ptr<pool> made(new pool(std::move(options)));
    for (int i = 0; i < made->max_workers_; ++i) {
        {
            std::lock_guard lock(made->mutex_);
            ++made->awake_;
        }
        try {
            made->add_thread(false);
        } catch (const std::exception& e) { // no thread, or no memory for one
            std::unique_lock lock(made->mutex_);
            --made->awake_;
            made->update_hints();
            lock.unlock();
            if (i == 0) throw;
            char note[256]; // no string: memory may be what is short
            const int length = std::snprintf(note,
                                             sizeof note,
                                             "heddle: pool \"%.40s\" runs with %d of %d workers: "
                                             "no more threads can be started (%.100s)\n",
                                             made->options_.name.c_str(),
                                             i,
                                             made->max_workers_,
                                             e.what());
            [[maybe_unused]] const auto written =
                write(STDERR_FILENO, note, static_cast<std::size_t>(length));
            break;
        }
        made->started_with_ = i + 1;
    }
    return made;
}

void pool::add_thread(bool searching) {
    std::unique_lock lock(mutex_);
    auto made = std::make_unique<worker>(*this, static_cast<int>(workers_.size()));
    worker* const w = made.get();
    threads_.reserve(threads_.size() + 1);
    workers_.push_back(std::move(made));
    // relaxed: written with the mutex held only. Set before the thread starts, which reads it.
    w->next_ = all_workers_.load(std::memory_order_relaxed);
    const signals_blocked guard;
    std::thread thread;
    try {
        thread = std::thread([self = shared_from_this(), w, searching] {
            struct at_exit { // also when pthread_exit unwinds the thread
                pool& of;
                ~at_exit() {
                    this_thread.host = nullptr; // destructors of thread-locals are still to come
                    of.thread_ended();
                }
            } end{*self};
            w->main(searching);
        });
    } catch (...) {
        workers_.pop_back();
        throw;
    }
    ++live_threads_;
    if (detached_) thread.detach();
    else threads_.push_back(std::move(thread));
    // release: publishes the worker; pairs with the acquire in steal().
    all_workers_.store(w, std::memory_order_release);
}

void pool::thread_ended() noexcept {
    std::unique_lock lock(mutex_);
    --live_threads_;
    if (!finished_) {
        // pthread_exit ended a worker in the middle of a task. It no longer counts as awake, so
        // the next push starts another one; and there may be work for it now.
        --awake_;
        update_hints();
        wake_up stand_in{};
        if (work_visible()) stand_in = choose_wake_up();
        else finish_if_idle(lock);
        lock.unlock();
        carry_out(stand_in);
        lock.lock();
    }
    if (live_threads_ == 0) ended_.notify_all(lock);
}

void pool::break_down(const std::string& cause) noexcept {
    {
        std::lock_guard lock(mutex_);
        if (!broken_.empty()) return;
        broken_ = "the pool \"" + options_.name + "\" is broken: its initializer threw " + cause;
        lane_.close();
        // release: publishes broken_; pairs with the acquire in worker::run().
        is_broken_.store(true, std::memory_order_release);
    }
    if (room_) room_->close();
    drain([](pool& self, work& item) { self.fail_broken(item); });
}

void pool::fail_broken(work& item) noexcept {
    if (!item.whole) {
        // relaxed: a count.
        ended_unrun_.fetch_add(1, std::memory_order_relaxed);
        report_failure({.task_name = {},
                        .where = {},
                        .address = item.call.address,
                        .exception = std::make_exception_ptr(broken_thread_pool_error(broken_))});
        return;
    }
    const bool counts = item.whole->current() == phase::pending;
    if (counts) ended_unrun_.fetch_add(1, std::memory_order_relaxed); // a count
    item.whole->fail(std::make_exception_ptr(broken_thread_pool_error(broken_)));
}

void pool::shut_down(shutdown_options options) {
    if (gone_after_fork()) return;
    {
        std::unique_lock lock(mutex_);
        shut_down_ = true;
        lane_.close();
        finish_if_idle(lock);
    }
    if (room_) room_->close();
    if (options.cancel_pending) {
        drain([](pool& self, work& item) {
            // relaxed: a count.
            if (!item.whole) self.ended_unrun_.fetch_add(1, std::memory_order_relaxed);
            else if (item.whole->current() == phase::pending && item.whole->cancel(true)) {
                self.ended_unrun_.fetch_add(1, std::memory_order_relaxed); // a count
            }
            if (item.whole) item.whole->drop_owner();
        });
        std::unique_lock lock(mutex_);
        finish_if_idle(lock);
    }
    if (!options.wait || is_own_thread()) return;
    const blocking_section section({}, true, deadline::never());
    std::unique_lock lock(mutex_);
    ended_.wait(lock, deadline::never(), [&] { return live_threads_ == 0; });
    // Each thread has left the pool; joining waits for the last instructions of its life only.
    std::vector<std::thread> threads = std::exchange(threads_, {});
    lock.unlock();
    for (std::thread& t : threads) t.join();
}

void pool::close() noexcept {
    if (gone_after_fork()) {
        new std::shared_ptr<pool>(shared_from_this()); // the threads are not ours to join: leak
        return;
    }
    if (is_own_thread()) {
        std::vector<std::thread> threads;
        {
            std::lock_guard lock(mutex_);
            detached_ = true;
            threads = std::exchange(threads_, {});
        }
        for (std::thread& t : threads) t.detach();
    }
    shut_down({});
}

} // namespace heddle::detail
