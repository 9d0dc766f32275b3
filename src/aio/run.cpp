#include "event_loop.hpp"

#include <heddle/aio/run.hpp>
#include <heddle/error.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <ostream>

namespace heddle::detail {

namespace {

/// Protocol: the mailbox of the loop that Ctrl-C interrupts. The handler, which is installed for
/// the same time, may run on any thread; `handling` keeps the mailbox alive for it.
atomic<mailbox*> interruptible{nullptr};
atomic<int> handling{0};

void on_sigint(int) {
    const int error = errno;
    ++handling;
    if (mailbox* const box = interruptible) box->interrupt();
    --handling;
    errno = error;
}

/// Lets Ctrl-C interrupt a loop, if nobody else, the program included, has a use for the signal.
class sigint_guard {
public:
    explicit sigint_guard(mailbox& box) noexcept {
        mailbox* nobody = nullptr;
        if (!interruptible.compare_exchange_strong(nobody, &box)) return;
        struct sigaction wanted{};
        wanted.sa_handler = &on_sigint;
        wanted.sa_flags = static_cast<int>(SA_RESETHAND); // the second Ctrl-C ends the process
        sigemptyset(&wanted.sa_mask);
        if (sigaction(SIGINT, nullptr, &before_) == 0 && before_.sa_handler == SIG_DFL &&
            sigaction(SIGINT, &wanted, nullptr) == 0) {
            installed_ = true;
        } else {
            interruptible = nullptr;
        }
    }
    ~sigint_guard() {
        if (!installed_) return;
        struct sigaction now{};
        if (sigaction(SIGINT, nullptr, &now) == 0 && now.sa_handler == &on_sigint) {
            sigaction(SIGINT, &before_, nullptr);
        }
        interruptible = nullptr;
        while (handling != 0) pause();
    }
    sigint_guard(const sigint_guard&) = delete;
    sigint_guard& operator=(const sigint_guard&) = delete;

private:
    struct sigaction before_{};
    bool installed_ = false;
};

} // namespace

void root_job::run(const aio::run_options& options) {
#ifdef NDEBUG
    constexpr duration by_default = duration::zero();
#else
    constexpr duration by_default = std::chrono::milliseconds(100);
#endif
    event_loop loop(options.watchdog.value_or(by_default));
    const sigint_guard guard(*loop.box());
    start(loop.owned());
    loop.run(*this, ended_);
}

void throw_skipped() {
    throw cancelled_error("the coroutine was cancelled before anything of it ran");
}

} // namespace heddle::detail

namespace heddle::aio {

void dump_tasks(std::ostream& out) {
    (void)detail::this_job("dump_tasks");
    out << detail::this_loop.loop->describe_jobs();
}

} // namespace heddle::aio
