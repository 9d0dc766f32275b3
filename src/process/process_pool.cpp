/// The pool itself: tasks on one side, the transport on the other.
#include "../core/birth.hpp"
#include "../core/context.hpp"
#include "../core/words.hpp"
#include "local_workers.hpp"

#include <heddle/detail/atomic.hpp>
#include <heddle/error.hpp>
#include <heddle/thread_pool.hpp>

#include <memory>
#include <stdexcept>
#include <string>

namespace heddle::detail {

namespace {

void require(bool holds, const char* option, const std::string& value, const char* range) {
    if (holds) return;
    throw std::invalid_argument(std::string("process_pool: ") + option + " is " + value + "; use " +
                                range);
}

carrier_options checked(const process_pool_options& given) {
    carrier_options made;
    made.max_workers = given.max_workers ? *given.max_workers : available_parallelism();
    require(made.max_workers >= 1 && made.max_workers <= 1000,
            "max_workers",
            std::to_string(made.max_workers),
            "1 to 1000");
    require(given.max_tasks_per_worker >= 0,
            "max_tasks_per_worker",
            std::to_string(given.max_tasks_per_worker),
            "0 or more");
    require(given.retries >= 0, "retries", std::to_string(given.retries), "0 or more");
    require(!given.task_timeout || given.task_timeout->count() > 0,
            "task_timeout",
            "not positive",
            "a positive duration");
    if (given.initializer) {
        made.initializer = name_function(reinterpret_cast<const void*>(given.initializer));
    }
    made.max_tasks_per_worker = given.max_tasks_per_worker;
    made.task_timeout = given.task_timeout;
    made.memory_limit_bytes = given.memory_limit_bytes;
    made.retries = given.retries;
    require_init();
    return made;
}

} // namespace

/// Turns what the transport says about calls into what their tasks become.
///
/// Lifetime: shared by the pool, and by every call until its task is gone, which may be later.
class process_engine final : public transport_client {
public:
    explicit process_engine(const carrier_options& options)
        : options_(options), carrier_(new local_workers(options, *this)) {}
    ~process_engine() {
        if (born_.was_elsewhere()) carrier_.release(); // its thread is not here: leak it
    }

    void start(const std::shared_ptr<process_engine>& self) { carrier_->start(self); }

    void submit(const std::shared_ptr<process_engine>& self, task& t, call_record& r, message m) {
        if (born_.was_elsewhere()) {
            throw forked_error("the process pool was created before fork(), and its thread does "
                               "not exist in this child; create a pool of its own in the child");
        }
        // relaxed: a counter; the transport's lock orders what is queued.
        r.id = {-t.priority(), next_number_.fetch_add(1, std::memory_order_relaxed)};
        r.engine = self;
        m.seal(static_cast<std::uint16_t>(frame_kind::call), r.id.number);
        t.set_owner(nullptr, born_.forks());
        carried_call made;
        made.of = &t;
        made.record = &r;
        made.bytes = std::make_shared<const message>(std::move(m));
        carrier_->submit(r.id, std::move(made));
    }
    void cancel(task& t, const call_record& r) noexcept {
        if (!born_.was_elsewhere() && carrier_->cancel(r.id)) t.drop_owner();
    }
    void fetch(const call_record& r) noexcept {
        if (!born_.was_elsewhere()) carrier_->fetch(r.id);
    }
    void request_stop(const call_record& r) noexcept {
        if (!born_.was_elsewhere()) carrier_->request_stop(r.id);
    }
    void close(closing how, bool wait) {
        if (born_.was_elsewhere()) return;
        carrier_->close(how);
        if (!wait) return;
        const blocking_section section({}, true, deadline::never());
        carrier_->join();
    }
    int workers() const noexcept { return carrier_->workers(); }
    std::size_t pending() const noexcept { return born_.was_elsewhere() ? 0 : carrier_->pending(); }

    bool started(const carried_call& c) noexcept override {
        return c.of->start() || c.of->current() == phase::running;
    }
    void ended(carried_call&& c, completion&& how) noexcept override {
        task& t = *c.of;
        if (how.how == completion::kind::cancelled) t.cancel(true);
        // Running because of started(), or from now on; else it was cancelled meanwhile.
        if (t.current() != phase::running && !t.start()) return t.drop_owner();
        if (how.how == completion::kind::answered) how.result = c.record->settle(t, how.answer);
        if (how.how == completion::kind::answered || how.how == completion::kind::decoded) {
            return t.finish(how.result, true);
        }
        t.ops().store_failure(t, failure_for(name_of(c), how));
        t.finish(phase::failed, true);
    }
    bool ended_untold(const carried_call& c, completion& how) noexcept override {
        task& t = *c.of;
        how.result = c.record->settle(t, how.answer); // it is running, or nobody would wait here
        how.how = completion::kind::decoded;
        return t.finish_untold(how.result);
    }

private:
    static std::string name_of(const carried_call& c) {
        const call_record& r = *c.record;
        if (r.items == 0) return "task " + c.of->describe();
        if (r.items == 1) return "item " + std::to_string(r.first_item) + " of a map";
        return "one of the items " + std::to_string(r.first_item) + " to " +
               std::to_string(r.first_item + r.items - 1) + " of a map";
    }
    std::exception_ptr failure_for(const std::string& name, const completion& how) const {
        if (how.how != completion::kind::timed_out) {
            return std::make_exception_ptr(
                broken_process_pool_error(name + " was lost: " + how.cause));
        }
        return std::make_exception_ptr(timeout_error(
            name + " ran longer than the pool's task_timeout of " +
            in_words(options_.task_timeout.value_or(duration(0))) + ", so its worker was killed"));
    }

    const carrier_options options_;
    const birth born_;
    /// Protocol: a counter.
    atomic<std::uint64_t> next_number_{0};
    std::unique_ptr<transport> carrier_;
};

std::shared_ptr<process_engine> start_process_engine(const process_pool_options& options) {
    auto made = std::make_shared<process_engine>(checked(options));
    made->start(made);
    return made;
}

void close_engine(process_engine& of, closing how, bool wait) {
    of.close(how, wait);
}

int workers_of(const process_engine& of) noexcept {
    return of.workers();
}

std::size_t pending_in(const process_engine& of) noexcept {
    return of.pending();
}

void submit_call(const std::shared_ptr<process_engine>& to, task& t, call_record& r, message m) {
    try {
        to->submit(to, t, r, std::move(m));
    } catch (...) {
        t.discard();
        throw;
    }
}

void cancel_call(process_engine& of, task& t, const call_record& r) noexcept {
    of.cancel(t, r);
}

void fetch_call(process_engine& of, const call_record& r) noexcept {
    of.fetch(r);
}

void stop_call(process_engine& of, const call_record& r) noexcept {
    of.request_stop(r);
}

} // namespace heddle::detail
