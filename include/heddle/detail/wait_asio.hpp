/// The loop's side of Asio, and the wait for one of its operations; included by aio_asio.hpp.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/detail/job.hpp>
#include <heddle/detail/reactor.hpp>
#include <heddle/detail/task_promise.hpp>

#include <unistd.h>

#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/error.hpp>
#include <asio/execution/context.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace heddle::detail {

/// An io_context that a loop sleeps in.
///
/// Thread safety: the loop's thread. Lifetime: as a reactor.
class asio_reactor final : public reactor {
public:
    /// The running loop's; made at the first call.
    static asio_reactor& of_this_loop() {
        return static_cast<asio_reactor&>(make_loop_reactor([](int wake) {
            return std::unique_ptr<reactor>(std::make_unique<asio_reactor>(wake));
        }));
    }

    /// The running loop's, or null.
    static asio_reactor* existing() noexcept { return static_cast<asio_reactor*>(loop_reactor()); }

    explicit asio_reactor(int wake) : wake_(context_, wake) { watch(); }
    ~asio_reactor() override { (void)wake_.release(); } // the descriptor is the loop's

    asio::io_context& context() noexcept { return context_; }
    const asio::io_context& context() const noexcept { return context_; }

    void run(deadline limit) noexcept override {
        try {
            if (context_.stopped()) context_.restart();
            if (limit.is_never()) context_.run_one();
            else if (limit.passed()) context_.poll();
            else context_.run_one_for(std::chrono::nanoseconds(limit.ns - now_ns()));
        } catch (...) {
            report_lost(std::current_exception(), "a handler in aio::io_context()");
        }
    }

private:
    void watch() {
        wake_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this](const asio::error_code& error) {
                             if (error) return;
                             std::uint64_t count = 0;
                             (void)!::read(wake_.native_handle(), &count, sizeof count);
                             watch();
                         });
    }

    asio::io_context context_{1};
    asio::posix::stream_descriptor wake_;
};

/// The wait for one operation: what does not depend on its type.
///
/// The operation ends on any thread, once: its handler is called, or destroyed uncalled. A request
/// to cancel an operation that runs in another context than the loop's own is sent there, since the
/// two must not race; the wait is over when both have ended.
class asio_wait : public leaf, private mail {
public:
    bool await_ready() { return refused("an Asio operation"); }

protected:
    /// Cancels, where the operation runs; lets the wait go once it has, or cannot any more.
    class request {
    public:
        explicit request(asio_wait& to) noexcept : to_(&to) {}
        request(request&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
        request& operator=(request&&) = delete;
        ~request() {
            if (to_) to_->let_go();
        }
        void operator()() const { to_->signal_.emit(asio::cancellation_type::terminal); }

    private:
        asio_wait* to_;
    };

    asio_wait() = default;
    ~asio_wait() = default;

    void begin(std::coroutine_handle<> at, bool foreign) noexcept {
        box_ = this_mailbox().get();
        foreign_ = foreign;
        mail::run = [](mail& self) noexcept { static_cast<asio_wait&>(self).resume(); };
        suspend(at);
    }
    /// Who used this wait needs it no more; the last lets the job go on, and it MAY DIE.
    void let_go() noexcept {
        if (users_.fetch_sub(1) != 1) return;
        if (this_loop.loop && this_mailbox().get() == box_) resume();
        else post(*box_, *this);
    }
    void end() noexcept {
        signal_.slot().clear(); // a request that comes later finds nothing
        let_go();
    }
    void throw_if_failed() const {
        if (was_refused() || (asked_ && code_ == asio::error::operation_aborted)) {
            throw_cancelled();
        }
        if (failure_) std::rethrow_exception(failure_);
        if (code_) throw std::system_error(code_);
    }

    asio::cancellation_signal signal_;
    std::error_code code_;
    std::exception_ptr failure_;

private:
    void cancel() noexcept override {
        asked_ = true;
        if (!foreign_) {
            signal_.emit(asio::cancellation_type::terminal);
            return;
        }
        int users = users_.load();
        do {
            if (users == 0) return; // it has ended; the mail is on its way
        } while (!users_.compare_exchange_weak(users, users + 1));
        send(request(*this));
    }
    virtual void send(request&& cancellation) noexcept = 0;
    const char* what() const noexcept override { return "an Asio operation"; }

    mailbox* box_ = nullptr;
    /// Protocol: counts the operation and the request on its way to it; zero is final. Whoever
    /// takes it to zero sees what the others wrote (all operations are seq_cst).
    atomic<int> users_{1};
    bool foreign_ = false;
    bool asked_ = false; ///< the loop's thread
};

/// The wait for an operation that gives `Values`, after an error code or an exception if there is
/// one in its signature.
template <class... Values>
class asio_values : public asio_wait {
public:
    void complete(Values... values) {
        values_.emplace(std::move(values)...);
        end();
    }
    void abandon() noexcept {
        code_ = asio::error::operation_aborted;
        end();
    }
    asio::cancellation_slot slot() noexcept { return signal_.slot(); }
    auto await_resume() {
        throw_if_failed();
        if constexpr (sizeof...(Values) == 1) return std::get<0>(*std::move(values_));
        else if constexpr (sizeof...(Values) > 1) return *std::move(values_);
    }

protected:
    ~asio_values() = default;
    std::optional<std::tuple<Values...>> values_;
};
template <class Status, class... Values>
class asio_values_after : public asio_values<Values...> {
public:
    void complete(Status status, Values... values) {
        if constexpr (std::is_same_v<Status, std::error_code>) this->code_ = status;
        else this->failure_ = std::move(status);
        asio_values<Values...>::complete(std::move(values)...);
    }

protected:
    ~asio_values_after() = default;
};

template <class... Args>
struct asio_result {
    using wait = asio_values<std::decay_t<Args>...>;
};
template <class... Values>
struct asio_result<std::error_code, Values...> {
    using wait = asio_values_after<std::error_code, std::decay_t<Values>...>;
};
template <class... Values>
struct asio_result<std::exception_ptr, Values...> {
    using wait = asio_values_after<std::exception_ptr, std::decay_t<Values>...>;
};

/// What Asio calls when the operation has ended.
///
/// Thread safety: one thread at a time. Lifetime: the wait ends with it.
template <class Wait>
class asio_handler {
public:
    using cancellation_slot_type = asio::cancellation_slot;

    explicit asio_handler(Wait& to) noexcept : to_(&to) {}
    asio_handler(asio_handler&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
    asio_handler& operator=(asio_handler&&) = delete;
    ~asio_handler() {
        if (to_) to_->abandon();
    }
    cancellation_slot_type get_cancellation_slot() const noexcept {
        return to_ ? to_->slot() : cancellation_slot_type();
    }
    template <class... Args>
    void operator()(Args&&... args) {
        std::exchange(to_, nullptr)->complete(std::forward<Args>(args)...);
    }

private:
    Wait* to_;
};

/// An operation that nobody has begun: what `use_task` makes.
///
/// Thread safety: none. Lifetime: begun at most once, by who awaits it; outlives that wait.
template <class Signature, class Initiation, class... InitArgs>
class asio_operation;
template <class... Args, class Initiation, class... InitArgs>
class [[nodiscard("co_await it")]] asio_operation<void(Args...), Initiation, InitArgs...> {
    using wait = typename asio_result<std::decay_t<Args>...>::wait;

    class awaiter final : public wait {
    public:
        explicit awaiter(asio_operation& of) noexcept : of_(of) {}
        void await_suspend(std::coroutine_handle<> at) {
            this->begin(at, of_.is_foreign());
            try {
                of_.begin(asio_handler<wait>(*this));
            } catch (...) {
                // The handler has been destroyed, so the coroutine goes on; with this.
                this->failure_ = std::current_exception();
                this->code_.clear();
            }
        }

    private:
        void send(asio_wait::request&& cancellation) noexcept override {
            of_.send(std::move(cancellation));
        }
        asio_operation& of_;
    };
    static constexpr bool has_executor = requires(const Initiation& i) { i.get_executor(); };

public:
    template <class I, class... A>
    explicit asio_operation(I&& initiation, A&&... args)
        : initiation_(std::forward<I>(initiation)), args_(std::forward<A>(args)...) {}

    awaiter operator co_await() && noexcept { return awaiter(*this); }

private:
    void begin(asio_handler<wait>&& handler) {
        std::apply(
            [&](InitArgs&... args) {
                std::move(initiation_)(std::move(handler), std::move(args)...);
            },
            args_);
    }
    bool is_foreign() const noexcept {
        if constexpr (has_executor) {
            const asio_reactor* const own = asio_reactor::existing();
            return !own || &own->context() !=
                               &asio::query(initiation_.get_executor(), asio::execution::context);
        } else {
            return false; // nobody knows where it runs
        }
    }
    template <class Request>
    void send(Request&& cancellation) noexcept {
        if constexpr (has_executor) {
            try {
                asio::post(initiation_.get_executor(), std::forward<Request>(cancellation));
            } catch (...) {
                // Without memory the operation is waited for.
            }
        }
    }

    Initiation initiation_;
    std::tuple<InitArgs...> args_;
};

} // namespace heddle::detail
