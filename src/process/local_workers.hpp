/// The transport to worker processes on this machine: one supervising thread, one socket a worker.
#pragma once

#include "child.hpp"
#include "claims.hpp"
#include "frame.hpp"
#include "transport.hpp"

#include <poll.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace heddle::detail {

/// What a pool's options mean for its workers.
struct carrier_options {
    int max_workers = 1;
    function_ref initializer;
    int max_tasks_per_worker = 0;
    std::optional<duration> task_timeout;
    std::size_t memory_limit_bytes = 0;
    int retries = 0;
};

/// A call that a worker has been sent.
struct sent_call {
    call_id id;
    carried_call what;
    std::uint64_t ticket = 0;     ///< its slot among the claims
    bool started = false;         ///< is the worker's next one, or it runs already
    bool taken_back = false;      ///< the worker will pass it over
    std::int64_t deadline_ns = 0; ///< when it has run too long; 0: never
};

/// One worker process, as the supervisor sees it.
struct local_worker {
    enum class state { starting, ready, leaving };

    child process;
    state now = state::starting;
    std::deque<sent_call> sent; ///< oldest first; what has been answered is no longer here
    std::size_t taken_back = 0; ///< of those
    std::uint64_t tickets = 0;  ///< how many calls it has been sent
    std::uint64_t rung = 0;     ///< how many of those it has been told of
    std::uint64_t past = 0;     ///< how many of those it has surely looked at
    std::uint32_t modules_known = 0;
    frame_sink out;
    frame_source in;        ///< used by the supervisor only, like all below
    std::string last_words; ///< the end of its stderr
    std::string problem;    ///< why it was killed by us, if it was
    bool timed_out = false; ///< its running call was
    bool ended = false;

    std::size_t load() const noexcept { return sent.size() - taken_back; }
    claims& page() const noexcept { return *reinterpret_cast<claims*>(process.shared->data()); }
    /// Takes `s` back from the worker; false if the worker has it already.
    bool withdraw(sent_call& s) noexcept;
    /// Tells the worker of what has been sent, and that there will be no more if it is leaving.
    void ring() noexcept {
        rung = tickets;
        page().ring(tickets, now == state::leaving);
    }
    /// Looks how far the worker has got.
    void note_past() noexcept;
};

/// Thread safety: as transport. Lifetime: `close` and `join` come before the destructor.
class local_workers final : public transport {
public:
    local_workers(carrier_options options, transport_client& client);
    ~local_workers() override;
    void start(std::shared_ptr<void> client) override;

    void submit(const call_id& id, carried_call&& c) override;
    bool cancel(const call_id& id) noexcept override;
    void fetch(const call_id& id) noexcept override;
    void request_stop(const call_id& id) noexcept override;
    int workers() const noexcept override { return options_.max_workers; }
    std::size_t pending() const noexcept override;
    void close(closing how) noexcept override;
    void join() override;

private:
    struct note { ///< something to tell the client, once the lock is released
        carried_call what;
        completion how;
    };
    struct place { ///< of a call that has been sent; nowhere without `of`
        local_worker* of = nullptr;
        std::deque<sent_call>::iterator call = {};
    };
    using worker_list = std::vector<std::unique_ptr<local_worker>>;

    void run();
    void loop();
    bool all_done() const;
    std::int64_t wait_until() const;
    void watch();
    void wait_for_events(std::int64_t until_ns);
    void wake() noexcept;

    // Workers come and go; on the supervisor only.
    int wanted_workers() const;
    void start_worker();
    void start_failed(const std::string& why);
    void configure(local_worker& w);
    void listen(local_worker& w, bool readable);
    void overhear(local_worker& w);
    void bury(local_worker& w, const exit_status& status);
    void break_pool(const std::string& cause);
    void end_workers();
    void check_deadlines();

    // With mutex_ held.
    void handle(local_worker& w, reader frame);
    void start_next(local_worker& w) noexcept;
    place find(const call_id& id, bool alone) noexcept;
    void settle_here(std::unique_lock<std::mutex>& lock, const place& at) noexcept;
    void let_go_on(local_worker& w) noexcept;
    note answer_of(local_worker& w, sent_call& s);
    note note_of(sent_call& s, reader answer);
    bool collect(local_worker& w);
    claims::attention attention_to(const local_worker& w, bool goes_on) const noexcept;
    void call_ended(local_worker& w, reader frame);
    bool dispatch();
    void send_queued();
    void ring(local_worker& w) noexcept;
    static bool flush(local_worker& w);
    static bool is_untold(const local_worker& w, const sent_call& s) noexcept;
    static void let_watchers_go(local_worker& w, const sent_call& s) noexcept;
    void let_idle_leave();
    local_worker* least_loaded();
    void rebalance();
    void send(local_worker& w, const call_id& id, carried_call&& c);
    void forget_taken_back(local_worker& w);
    std::size_t depth() const noexcept;
    bool has_room(const local_worker& w) const noexcept;
    bool used_up(const local_worker& w) const noexcept;
    void end_call(carried_call&& c, completion::kind how, std::string cause);
    void drop_queue(completion::kind how, const std::string& cause);

    const carrier_options options_;
    transport_client& client_;
    descriptor wake_up_; ///< an eventfd
    mutable std::mutex mutex_;
    std::map<call_id, carried_call> queue_;
    worker_list workers_; ///< changed by the supervisor only, with the lock
    std::vector<note> notes_;
    std::vector<pollfd> watched_; ///< the eventfd, then three of each worker; by the supervisor
    std::string broken_;          ///< why no call can run any more; empty while they can
    bool closed_ = false;
    std::optional<closing> ending_;           ///< how the workers are to be ended
    std::int64_t kill_at_ns_ = 0;             ///< when SIGTERM has had its time
    int deaths_in_a_row_ = 0;                 ///< before they were ready
    std::uint32_t usual_microseconds_ = 1000; ///< what calls take, smoothed
    bool awake_ = false;                      ///< the eventfd has been written to
    std::int64_t sleeps_until_ns_ = 0;        ///< the supervisor does, at the longest
    int settling_ = 0;                        ///< calls that threads are settling themselves
    std::mutex join_mutex_;                   ///< several may join at once; one of them does it
    std::thread thread_;
    std::thread::id thread_id_;
};

} // namespace heddle::detail
