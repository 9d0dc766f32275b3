/// `mp::process`: run one function in a process of its own.
#pragma once

#include <heddle/detail/child_handle.hpp>
#include <heddle/detail/mp_init.hpp>
#include <heddle/detail/remote_call.hpp>
#include <heddle/error.hpp>
#include <heddle/time.hpp>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace heddle::mp {

/// How an `mp::process` is started.
struct process_options {
    std::string name = {}; ///< shown by `ps` (15 characters) and in what it says on stderr
};

class process;

} // namespace heddle::mp

namespace heddle::detail {
/// Asked in this order: whether a process can be submitted depends on its constructors, and so on
/// the answer.
template <class F, class... Args>
concept runs_as_process =
    !std::is_same_v<std::remove_cvref_t<F>, mp::process> &&
    !std::is_same_v<std::remove_cvref_t<F>, mp::process_options> && submittable<F, Args...>;
} // namespace heddle::detail

namespace heddle::mp {

/// A child process that runs one function and ends; what Python's `multiprocessing.Process` is.
///
/// The function, its arguments and `main` are subject to the same rules as a `process_pool`'s:
/// no captures, arguments are copied by cereal, `main` begins with `heddle::mp::init`. What the
/// function returns is thrown away; give it an `mp::queue` or an `mp::shared_value` to answer
/// with. The child shares no memory with this process, has its stdout and stderr, and ends when
/// this process does.
///
/// Example:
///     heddle::mp::queue<int> numbers;
///     heddle::mp::process counter([](heddle::mp::queue<int> to) { to.put(42); }, numbers);
///     std::cout << numbers.get() << '\n';
///     counter.join();
///
/// Thread safety: all members may be called from any thread, but moving. Lifetime: the destructor
/// waits until the child has ended.
class process {
public:
    /// Starts `f(args...)` in a new process. About 1 ms; blocks until the child has taken what does
    /// not fit into a socket (200 kB).
    /// @throws broken_process_pool_error  `mp::init` was not called.
    /// @throws std::invalid_argument  `f` is a null pointer.
    /// @throws std::system_error  no process could be started.
    /// And what encoding the arguments throws. In all these cases no process is left behind.
    template <class F, class... Args>
        requires detail::runs_as_process<F, Args...>
    explicit process(F&& f, Args&&... args)
        : process(process_options{}, std::forward<F>(f), std::forward<Args>(args)...) {}
    /// The same, with a name.
    template <class F, class... Args>
        requires detail::runs_as_process<F, Args...>
    explicit process(const process_options& options, F&& f, Args&&... args) {
        detail::require_transferable<std::decay_t<F>, void, std::decay_t<Args>...>();
        detail::require_callable<std::decay_t<F>>(f, "mp::process");
        name_ = options.name;
        child_ = std::make_unique<detail::child_handle>(
            name_, detail::encode_call<void, F, Args...>(f, args...));
    }
    process(process&&) noexcept = default;
    /// Joins the process that this one stood for, then stands for the other's.
    process& operator=(process&& other) {
        if (this == &other) return *this;
        if (child_) join();
        name_ = std::move(other.name_);
        child_ = std::move(other.child_);
        return *this;
    }
    ~process() {
        if (child_) child_->join(detail::deadline::never());
    }

    /// Waits until the child has ended. May be called again.
    void join() { child().join(detail::deadline::never()); }
    /// The same, for at most `d`; tells whether it has ended.
    template <class Rep, class Period>
    bool join_for(std::chrono::duration<Rep, Period> d) {
        return child().join(detail::deadline::after(d));
    }
    /// Returns the child's process id.
    int pid() const { return child().pid(); }
    /// Returns the name it was given.
    const std::string& name() const noexcept { return name_; }
    /// Tells whether the child has not ended yet. Does not block.
    bool is_alive() const { return child().is_alive(); }
    /// Asks the child to end, by SIGTERM. Does not wait; does nothing if it has ended.
    void terminate() { child().send(SIGTERM); }
    /// Ends the child, by SIGKILL. Does not wait; does nothing if it has ended.
    void kill() { child().send(SIGKILL); }
    /// Returns how the child ended: 0, what it passed to `exit`, 1 if the function threw (what it
    /// threw is on its stderr), -N if signal N killed it. Nothing while it runs, or if the program
    /// ignores SIGCHLD or waits for all children itself, so that nobody can know.
    std::optional<int> exit_code() const { return child().exit_code(); }

private:
    detail::child_handle& child() const {
        if (!child_) throw invalid_state_error("this mp::process has been moved from");
        return *child_;
    }

    std::string name_;
    std::unique_ptr<detail::child_handle> child_;
};

} // namespace heddle::mp
