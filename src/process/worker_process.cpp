/// The other side: what a worker does, from mp::init to its end.
#include "../core/context.hpp"
#include "child.hpp"
#include "claims.hpp"
#include "frame.hpp"
#include "modules.hpp"

#include <heddle/detail/large_buffer.hpp>
#include <heddle/detail/mp_init.hpp>
#include <heddle/detail/wire.hpp>
#include <heddle/error.hpp>
#include <heddle/failure.hpp>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>

namespace heddle::detail {

namespace {

/// Ends the worker as it is, without the program's destructors: they belong to the program.
[[noreturn]] void leave(int code) {
    std::fflush(nullptr);
    _exit(code);
}

/// The stop requests for this worker's calls; written by its second thread.
class stops {
public:
    void request(std::uint64_t call) {
        std::stop_source now(std::nostopstate);
        {
            std::lock_guard lock(mutex_);
            if (call == running_) now = source_;
            else early_.insert(call);
        }
        now.request_stop(); // calls back; without the lock
    }
    std::stop_token begin(std::uint64_t call) {
        std::lock_guard lock(mutex_);
        running_ = call;
        source_ = std::stop_source();
        if (early_.erase(call) != 0) source_.request_stop();
        return source_.get_token();
    }
    void end() {
        std::lock_guard lock(mutex_);
        running_ = none;
    }

private:
    static constexpr std::uint64_t none = ~std::uint64_t{0};
    std::mutex mutex_;
    std::uint64_t running_ = none;
    std::stop_source source_{std::nostopstate};
    std::set<std::uint64_t> early_; ///< asked to stop before they began
};

/// Ends the worker when its parent has gone, even while a task runs, and takes stop requests.
void watch_parent(pid_t parent, stops& requests) {
    const auto pidfd = static_cast<int>(syscall(SYS_pidfd_open, parent, 0));
    if (getppid() != parent) _exit(1);
    pollfd watched[2] = {{control_descriptor, POLLIN, 0}, {pidfd, POLLIN, 0}};
    for (;;) {
        if (poll(watched, 2, -1) < 0 && errno != EINTR) _exit(1);
        if (watched[1].revents) _exit(1);
        if (!watched[0].revents) continue;
        std::uint64_t call = 0;
        const ssize_t got = recv(control_descriptor, &call, sizeof call, MSG_WAITALL);
        if (got != sizeof call) _exit(1);
        requests.request(call);
    }
}

void limit_memory(std::uint64_t bytes) {
    if (bytes == 0) return;
    const rlimit limit{bytes, bytes};
    setrlimit(RLIMIT_DATA, &limit);
}

class worker_process {
public:
    explicit worker_process(pid_t parent)
        : page_(std::make_shared<const descriptor>(claims_descriptor)) {
        watch_forks();
        std::thread(watch_parent, parent, std::ref(stops_)).detach();
    }

    [[noreturn]] void run() {
        try {
            worker_settings told;
            for (bool configured = false; !configured;) {
                reader frame = wait_for_frame();
                if (frame.head().kind == kind_of(frame_kind::module)) {
                    learn_module(frame);
                } else {
                    told = read_settings(frame);
                    configured = true;
                }
            }
            is_process_ = told.is_process;
            name_ = told.name;
            // A pool's workers are started by a thread that outlives them, and end with it at once.
            if (!is_process_) prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (!told.name.empty()) prctl(PR_SET_NAME, told.name.c_str());
            limit_memory(told.memory_limit);
            if (told.initializer.module != function_ref::none) {
                reinterpret_cast<void (*)()>(const_cast<void*>(find_function(told.initializer)))();
            }
        } catch (...) {
            refuse();
        }
        if (!is_process_) send(make_frame(frame_kind::ready, 0));
        try {
            if (is_process_) run_process(wait_for_call());
            for (;;) serve();
        } catch (const std::exception& e) {
            std::fprintf(stderr, "heddle: a worker gave up: %s\n", e.what());
            leave(1);
        }
    }

private:
    static std::uint16_t kind_of(frame_kind kind) { return static_cast<std::uint16_t>(kind); }

    [[noreturn]] void refuse() {
        const std::string why = describe(std::current_exception());
        if (is_process_) std::fprintf(stderr, "heddle: %s\n", why.c_str());
        else send(make_frame(frame_kind::refused, 0, [&](message& m) { append_text(m, why); }));
        leave(1);
    }
    reader wait_for_frame() {
        for (;;) {
            if (std::optional<reader> frame = in_.next()) return std::move(*frame);
            if (!in_.pump(data_descriptor, true)) leave(0);
        }
    }
    /// Waits for a call that comes by the socket, and learns the modules that come before it.
    reader wait_for_call() {
        for (;;) {
            reader frame = wait_for_frame();
            if (frame.head().kind == kind_of(frame_kind::call)) return frame;
            if (frame.head().kind != kind_of(frame_kind::module))
                throw error("an unexpected frame");
            learn_module(frame);
        }
    }
    void send(shared_message frame) {
        out_.add(std::move(frame));
        if (!out_.flush(data_descriptor, true)) leave(0);
    }

    /// Waits for the next call, and runs it if the pool has not taken it back.
    void serve() {
        while (page().left_after(tickets_) == 0 && !page().spin_for_call(tickets_)) {
            if (wait_for_fetch()) continue;
            if (passed_over_) tell(); // so that the pool may use the slots again
            else if (untold_) tell_answered();
            passed_over_ = untold_ = false;
            const bool keeps = keeps_large();
            const duration limit = std::chrono::milliseconds(large_kept_ms);
            if (!page().await_call(tickets_, keeps ? limit : duration::max())) leave(0);
            if (keeps && page().left_after(tickets_) == 0) drop_large();
        }
        untold_ = false; // who rang has looked
        claims::slot& slot = page().of(tickets_++);
        reader call = slot.call_size != 0 ? call_in(slot) : wait_for_call();
        std::uint32_t expected = claims::offered;
        if (slot.state.compare_exchange_strong(expected, claims::taken)) run_call(call, slot);
        else passed_over_ = true; // the pool has taken it back
        // release: pairs with the acquire of the pool, before it uses the slot again.
        page().past.store(static_cast<std::uint32_t>(tickets_), std::memory_order_release);
    }
    /// A thread that has submitted a call goes on to wait for it, most often, but waking us may
    /// have cost it its core. Gives that back if it came in time before; true if it has sent the
    /// next call already.
    bool wait_for_fetch() {
        if (!untold_) return false;
        const auto come = [this] {
            return page().of(tickets_ - 1).watched.load() != claims::nobody;
        };
        // relaxed: a hint.
        const bool hoped = !come() && page().fetched.load(std::memory_order_relaxed);
        if (hoped) sched_yield();
        if (come()) untold_ = false;
        return hoped && page().left_after(tickets_) != 0;
    }
    static reader call_in(const claims::slot& slot) {
        frame_header head;
        std::memcpy(&head, slot.bytes.data(), sizeof head);
        auto body = std::make_unique_for_overwrite<std::byte[]>(head.length);
        std::memcpy(body.get(), slot.bytes.data() + sizeof head, head.length);
        return {head, std::move(body), {}};
    }

    void run_call(reader& call, claims::slot& slot) {
        using clock = std::chrono::steady_clock;
        const clock::time_point began = clock::now();
        const std::stop_token stop = stops_.begin(call.head().id);
        message result;
        result.append_value(false);
        try {
            invoke(call, result, stop);
        } catch (...) {
            result = message();
            result.append_value(true);
            encode_failure(result);
        }
        end_if_copy();
        stops_.end();
        const auto took =
            std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - began);
        const auto most = static_cast<std::int64_t>(UINT32_MAX);
        const auto microseconds =
            static_cast<std::uint32_t>(std::min<std::int64_t>(took.count(), most));
        std::fflush(stdout); // what the task printed comes before its result, and is never lost
        const std::size_t size = result.body().size();
        if (size > claims::small || !result.descriptors().empty()) {
            result.seal(kind_of(frame_kind::ended), call.head().id, microseconds);
            return send(std::make_shared<const message>(std::move(result)));
        }
        std::memcpy(slot.bytes.data(), result.body().data(), size);
        slot.size = static_cast<std::uint32_t>(size);
        slot.microseconds = microseconds;
        slot.state.store(claims::answered);
        if (slot.tell_watchers()) return;
        // Most often somebody is about to fetch the answer to a call that comes alone.
        if (page().left_after(tickets_) == 0) untold_ = true;
        else tell_answered();
    }

    /// A task may fork. The copy that comes back from it must not answer too, nor take calls.
    static void end_if_copy() {
        // relaxed: see forks_survived. A worker is executed, so none came before it.
        if (forks_survived.load(std::memory_order_relaxed) == 0) return;
        std::fputs("heddle: a task forked, and the child came back from it; it ends here, since "
                   "only the worker may answer: call _exit or exec in the child\n",
                   stderr);
        _exit(1);
    }

    /// Makes the pool look at the slots, if it wants to.
    void tell_answered() {
        const claims::attention wanted = page().wanted.load();
        if (wanted == claims::attention::none) return;
        if (wanted == claims::attention::low && page().left_after(tickets_) > calls_low) return;
        page().wanted.store(claims::attention::none); // told once is enough
        tell();
    }
    void tell() { send(make_frame(frame_kind::passed, tickets_)); }
    claims& page() noexcept { return *reinterpret_cast<claims*>(page_.data()); }

    [[noreturn]] void run_process(reader call) {
        try {
            message unused;
            invoke(call, unused, stops_.begin(call.head().id));
        } catch (...) {
            std::fflush(stdout);
            const std::string why = describe(std::current_exception());
            std::fprintf(stderr,
                         "heddle: mp::process%s%s%s ended by an exception: %s\n",
                         name_.empty() ? "" : " \"",
                         name_.c_str(),
                         name_.empty() ? "" : "\"",
                         why.c_str());
            leave(1);
        }
        leave(0);
    }

    static void invoke(reader& call, message& result, const std::stop_token& stop) {
        const auto entry = call.take_value<function_ref>();
        const void* const code = find_function(entry);
        reinterpret_cast<trampoline>(const_cast<void*>(code))(call, result, stop);
    }

    frame_source in_;
    frame_sink out_;
    shared_memory page_;
    stops stops_;
    std::uint64_t tickets_ = 0; ///< how many calls have come
    bool passed_over_ = false;
    bool untold_ = false; ///< the call before was answered in its slot, and the pool was not told
    bool is_process_ = false;
    std::string name_; ///< of an mp::process
};

} // namespace
} // namespace heddle::detail

void heddle::mp::init(int argc, char** argv) {
    detail::remember_program(argv);
    if (argc != 3 || std::strcmp(argv[1], detail::worker_argument) != 0) return;
    pid_t parent = 0;
    const char* const end = argv[2] + std::strlen(argv[2]);
    if (std::from_chars(argv[2], end, parent).ptr != end || parent <= 0) return;
    auto* const worker = new detail::worker_process(parent); // never destroyed: it ends by _exit
    worker->run();
}
