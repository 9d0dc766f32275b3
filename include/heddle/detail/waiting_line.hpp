/// Coroutines that wait their turn, first come first served; what aio's primitives are made of.
#pragma once

#include <heddle/detail/job.hpp>

#include <coroutine>
#include <cstddef>

namespace heddle::detail {

class waiting_line;

/// A place in a line. Who is let go has what he waited for, even if he is cancelled before he runs
/// again: nothing that was handed over is lost.
///
/// A line that goes first leaves alone whoever waits in it, and whoever it has let go that does not
/// run yet: he must touch neither it nor what it is part of.
class line_wait : public leaf {
public:
    explicit line_wait(const char* what) noexcept : what_(what) {}

    /// For the line: lets the job go.
    void go(bool served) noexcept {
        served_ = served;
        if (!served) line_ = nullptr; // he needs it no more
        resume();
    }
    /// For the line, which goes first.
    void leave_alone() noexcept {
        left_alone_ = true;
        line_ = nullptr;
        if (!served_) resume_cancelled();
    }
    line_wait* next = nullptr; ///< the line's
    line_wait* previous = nullptr;

protected:
    ~line_wait() = default;
    void stand_in(waiting_line& line, std::coroutine_handle<> at) noexcept;
    bool was_served() const noexcept { return served_; }
    bool was_left_alone() const noexcept { return left_alone_; }
    /// First thing when the coroutine goes on: steps out of the line.
    void step_out() noexcept;
    /// Throws cancelled_error if he was cancelled or left alone.
    void throw_if_refused() const {
        if (left_alone_) throw_left_alone();
        leaf::throw_if_refused();
    }
    void cancel() noexcept override;

private:
    const char* what() const noexcept override { return what_; }
    [[noreturn]] void throw_left_alone() const;

    const char* what_;
    waiting_line* line_ = nullptr; ///< where he stands, or has been let go from
    bool served_ = false;
    bool left_alone_ = false;
};

class waiting_line {
public:
    waiting_line() noexcept = default;
    waiting_line(const waiting_line&) = delete;
    waiting_line& operator=(const waiting_line&) = delete;
    ~waiting_line();

    bool empty() const noexcept { return waiting_.first == nullptr; }
    /// Lets the first go, and returns it, to be used before the loop's next turn; null if there is
    /// none.
    line_wait* serve_one() noexcept { return let_go(true); }
    void serve_all() noexcept {
        while (serve_one()) {
        }
    }
    /// Lets all go with nothing.
    void dismiss_all() noexcept {
        while (let_go(false)) {
        }
    }
    std::size_t length() const noexcept;

private:
    friend class line_wait;
    struct row {
        line_wait* first = nullptr;
        line_wait* last = nullptr;
        void add(line_wait& w) noexcept;
        void remove(line_wait& w) noexcept;
    };
    line_wait* let_go(bool served) noexcept;

    row waiting_;
    row let_go_; ///< who does not run yet
};

/// A wait in a line for as long as it takes.
class plain_wait final : public line_wait {
public:
    plain_wait(waiting_line& line, bool over, const char* what) noexcept
        : line_wait(what), line_(line), over_(over) {}
    bool await_ready() { return refused("a wait") || over_; }
    void await_suspend(std::coroutine_handle<> at) noexcept { stand_in(line_, at); }
    void await_resume() {
        step_out();
        if (!was_served()) throw_if_refused();
    }

private:
    waiting_line& line_;
    bool over_;
};

/// A count of things to take, each handed directly to who waits longest.
class tickets {
public:
    explicit tickets(std::size_t count) noexcept : count_(count) {}

    class wait_for_one : public line_wait {
    public:
        wait_for_one(tickets& from, const char* what) noexcept : line_wait(what), from_(from) {}
        bool await_ready() {
            return refused("acquire") || (taken_ = from_.try_take()) || from_.closed_;
        }
        void await_suspend(std::coroutine_handle<> at) noexcept { stand_in(from_.line_, at); }

    protected:
        ~wait_for_one() = default;
        /// True if it got one; false if there are none and never will be. Throws cancelled_error.
        bool got() {
            step_out();
            throw_if_refused();
            return taken_ || was_served();
        }

    private:
        tickets& from_;
        bool taken_ = false;
    };
    /// Gives what `got` says.
    class taking final : public wait_for_one {
    public:
        using wait_for_one::wait_for_one;
        bool await_resume() { return got(); }
    };
    /// For tickets that are never closed.
    class taking_one final : public wait_for_one {
    public:
        using wait_for_one::wait_for_one;
        void await_resume() { (void)got(); }
    };

    taking take(const char* what) noexcept { return taking(*this, what); }
    bool try_take() noexcept {
        if (count_ == 0) return false;
        --count_;
        return true;
    }
    void add(std::size_t n) noexcept;
    /// Takes all that nobody has.
    void clear() noexcept { count_ = 0; }
    /// No more will come: who waits goes with nothing.
    void close() noexcept {
        closed_ = true;
        line_.dismiss_all();
    }
    std::size_t count() const noexcept { return count_; }

private:
    waiting_line line_; ///< empty while count_ is not 0
    std::size_t count_;
    bool closed_ = false;
};

} // namespace heddle::detail
