/// Coroutines that wait their turn, first come first served; what aio's primitives are made of.
#pragma once

#include <heddle/detail/job.hpp>

#include <coroutine>
#include <cstddef>

namespace heddle::detail {

class waiting_line;

/// A place in a line. Who is let go has what he waited for, even if he is cancelled before he runs
/// again: nothing that was handed over is lost.
class line_wait : public leaf {
public:
    explicit line_wait(const char* what) noexcept : what_(what) {}

    /// For the line, which has taken it out: lets the job go.
    void go(bool served) noexcept {
        served_ = served;
        resume();
    }
    line_wait* next = nullptr; ///< the line's
    line_wait* previous = nullptr;

protected:
    ~line_wait() = default;
    void stand_in(waiting_line& line, std::coroutine_handle<> at) noexcept;
    bool was_served() const noexcept { return served_; }
    void cancel() noexcept override;

private:
    const char* what() const noexcept override { return what_; }

    const char* what_;
    waiting_line* line_ = nullptr;
    bool served_ = false;
};

class waiting_line {
public:
    waiting_line() noexcept = default;
    waiting_line(const waiting_line&) = delete;
    waiting_line& operator=(const waiting_line&) = delete;

    bool empty() const noexcept { return first_ == nullptr; }
    /// Lets the first go; false if there is none.
    bool serve_one() noexcept { return let_go(true); }
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
    void add(line_wait& w) noexcept;
    void remove(line_wait& w) noexcept;

private:
    bool let_go(bool served) noexcept;

    line_wait* first_ = nullptr;
    line_wait* last_ = nullptr;
};

/// A wait in a line for as long as it takes.
class plain_wait final : public line_wait {
public:
    plain_wait(waiting_line& line, bool over, const char* what) noexcept
        : line_wait(what), line_(line), over_(over) {}
    bool await_ready() { return refused("a wait") || over_; }
    void await_suspend(std::coroutine_handle<> at) noexcept { stand_in(line_, at); }
    void await_resume() const { throw_if_refused(); }

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
        bool got() const {
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
        bool await_resume() const { return got(); }
    };
    /// For tickets that are never closed.
    class taking_one final : public wait_for_one {
    public:
        using wait_for_one::wait_for_one;
        void await_resume() const { (void)got(); }
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
