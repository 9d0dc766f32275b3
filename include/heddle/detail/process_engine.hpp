/// The untyped side of a process pool, as far as its templates need it.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/detail/state.hpp>
#include <heddle/detail/wire.hpp>
#include <heddle/time.hpp>

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace heddle {

/// How a `process_pool` is built.
struct process_pool_options {
    std::optional<int> max_workers = {}; ///< 1 to 1,000; default `available_parallelism()`
    void (*initializer)() = nullptr;     ///< runs first in each worker; a captureless lambda will
                                         ///< do. If it throws, the pool is broken
    int max_tasks_per_worker = 0;        ///< a worker is replaced after so many; 0: never
    std::optional<duration> task_timeout = {}; ///< a task that runs longer is killed, only it
    std::size_t memory_limit_bytes = 0; ///< data a worker may have (RLIMIT_DATA); 0: no limit.
                                        ///< Beyond it an allocation throws std::bad_alloc
    int retries = 0; ///< how often a task is run again after a crash. It may then have run, partly
                     ///< or wholly, more than once
};

namespace detail {

/// Names a call and says when its turn is: smaller ones start first.
struct call_id {
    int priority = 0; ///< negated, so that a higher priority sorts first
    std::uint64_t number = 0;
    friend auto operator<=>(const call_id&, const call_id&) = default;
};

/// What becomes of the calls that are not done when a pool closes.
enum class closing { run, cancel_pending, terminate, kill };

class process_engine;

/// The part of a call's task that knows its pool; outlives the call in the workers.
struct call_record {
    /// Decodes what came back into the task's result, or failure; returns what is to be its end.
    using settle_function = phase (*)(task&, reader&) noexcept;

    std::shared_ptr<process_engine> engine;
    call_id id;
    std::uint64_t first_item = 0; ///< of the input of a map, counted from 0
    std::uint64_t items = 0;      ///< how many of them it takes; 0: it is no part of a map
    settle_function settle = nullptr;
    /// Protocol: set once, by the first who asks the call to stop; no data depends on it.
    atomic<bool> stop_requested{false};
};

/// Checks the options and starts the engine. Throws as process_pool's constructor.
std::shared_ptr<process_engine> start_process_engine(const process_pool_options& options);
/// Takes no more calls; with `wait` returns when all have ended. May be called many times.
void close_engine(process_engine& of, closing how, bool wait);
int workers_of(const process_engine& of) noexcept;
/// How many calls are queued and not started.
std::size_t pending_in(const process_engine& of) noexcept;
/// Hands a call over; owns `t` from here on, and frees it if it throws.
void submit_call(const std::shared_ptr<process_engine>& to, task& t, call_record& r, message call);
/// A queued call was cancelled through one of its handles.
void cancel_call(process_engine& of, task& t, const call_record& r) noexcept;
/// Waits for what came back, and makes it the task's result, if that can be done here.
void fetch_call(process_engine& of, const call_record& r) noexcept;
/// Passes a stop request on to where the call runs.
void stop_call(process_engine& of, const call_record& r) noexcept;

/// The task of a call in another process. `Decode` builds its result from what came back.
template <class T, T (*Decode)(reader&)>
class call_state final : public state<T> {
public:
    static call_state* make(std::uint32_t handles) {
        void* memory = slab_allocate(sizeof(call_state), alignof(call_state));
        return ::new (memory) call_state(handles);
    }
    call_record& record() noexcept { return record_; }

private:
    explicit call_state(std::uint32_t handles) : state<T>(table, handles, true) {
        record_.settle = &settle;
    }
    static call_state& from(task& t) noexcept { return static_cast<call_state&>(t); }

    static phase settle(task& t, reader& bytes) noexcept {
        call_state& self = from(t);
        phase end = phase::value;
        try {
            self.emplace_from([&]() -> T { return Decode(bytes); });
        } catch (...) {
            end = phase::failed;
            self.set_failure(std::current_exception());
        }
        return end;
    }
    static void fetch(task& t) noexcept {
        const call_record& r = from(t).record_;
        fetch_call(*r.engine, r);
    }
    static void drop(task& t) noexcept {
        if (t.current() != phase::cancelled) return;
        // A copy: the call may be the last user of the engine.
        if (const std::shared_ptr<process_engine> engine = from(t).record_.engine) {
            cancel_call(*engine, t, from(t).record_);
        }
    }
    static void destroy(task& t) noexcept {
        call_state& self = from(t);
        self.destroy_result();
        std::destroy_at(&self.record_);
        slab_free(&self, sizeof(call_state), alignof(call_state));
    }
    static bool request_stop(task& t) noexcept {
        call_record& r = from(t).record_;
        // relaxed: see stop_requested.
        if (r.stop_requested.exchange(true, std::memory_order_relaxed)) return false;
        stop_call(*r.engine, r);
        return true;
    }

    static constexpr task::operations table{nullptr,
                                            &drop,
                                            &state<T>::drop_result_of,
                                            &destroy,
                                            &state<T>::store_failure_of,
                                            &state<T>::failure_of,
                                            &request_stop,
                                            &fetch};

    call_record record_;
};

} // namespace detail
} // namespace heddle
