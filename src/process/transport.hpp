/// The seam: how calls get to where they run and what comes back. A pool knows only this, so that
/// workers elsewhere are another implementation of `transport` and nothing else.
#pragma once

#include "frame.hpp"

#include <heddle/detail/process_engine.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace heddle::detail {

/// One call on its way. The bytes are shared, since a call may be sent again.
struct carried_call {
    task* of = nullptr; ///< whose it is; the transport only hands it back
    call_record* record = nullptr;
    shared_message bytes;
    int attempts_left = 0; ///< how often it may run again after it was lost
    bool stop_requested = false;
};

/// How a call ended.
struct completion {
    enum class kind {
        answered,  ///< `answer` holds its encoded result or failure
        lost,      ///< the worker died; `cause` says how
        timed_out, ///< it ran too long and was ended
        cancelled, ///< taken back before it started
        decoded    ///< answered, and `result` is what is left to be told
    };
    kind how = kind::answered;
    reader answer;
    phase result = phase::value;
    std::string cause;
};

/// Who is told what becomes of calls.
class transport_client {
public:
    /// A worker has been sent the call and has nothing to do before it; may come again if that
    /// worker dies. False if the call was cancelled meanwhile. On any thread, with the transport's
    /// locks.
    virtual bool started(const carried_call& c) noexcept = 0;
    /// The call has ended; exactly once for each that was submitted, unless `cancel` took it back.
    /// On the transport's thread, without its locks.
    virtual void ended(carried_call&& c, completion&& how) noexcept = 0;
    /// The same for a call that was answered, on a thread that waits for it, if nobody else is to
    /// be told. False if somebody is: `how` is what `ended` must be given then.
    virtual bool ended_untold(const carried_call& c, completion& how) noexcept = 0;

protected:
    ~transport_client() = default;
};

/// Carries calls to workers. Thread safety: all members may be called from any thread.
class transport {
public:
    virtual ~transport() = default;
    /// Begins to work, on a thread that keeps `client` alive until it ends.
    virtual void start(std::shared_ptr<void> client) = 0;
    /// Queues a call; never blocks. @throws shutdown_error, broken_process_pool_error
    virtual void submit(const call_id& id, carried_call&& c) = 0;
    /// Takes a call back if no worker has it yet: true, and it will not be told of.
    virtual bool cancel(const call_id& id) noexcept = 0;
    /// Waits for the answer and tells of it with `ended_untold`, if that is the shortest way; may
    /// return at any time. The caller has a handle of the call's task.
    virtual void fetch(const call_id& /*id*/) noexcept {}
    /// Passes a stop request on, now or when the call is sent.
    virtual void request_stop(const call_id& id) noexcept = 0;
    /// How many calls may run at once.
    virtual int workers() const noexcept = 0;
    /// How many calls have been submitted and not started.
    virtual std::size_t pending() const noexcept = 0;

    /// Takes no more calls, and ends the workers when what is left has ended.
    virtual void close(closing how) noexcept = 0;
    /// Waits until all has ended; not on the transport's own thread, where it returns at once.
    virtual void join() = 0;
};

} // namespace heddle::detail
