#include "../core/place.hpp"
#include "event_loop.hpp"

#include <heddle/detail/task_promise.hpp>
#include <heddle/error.hpp>
#include <heddle/failure.hpp>

#include <chrono>
#include <cstring>
#include <string>

namespace heddle::detail {

// The first word of the frame, by the platform's ABI.
const void* code_of(std::coroutine_handle<> h) noexcept {
    const void* code = nullptr;
    std::memcpy(&code, h.address(), sizeof code);
    return code;
}

namespace {

std::string describe_coroutine_code(const void* code) {
    if (!code) return "(ended)";
    return describe_code(static_cast<const char*>(code) + 1); // it takes return addresses
}

} // namespace

std::string describe_coroutine(std::coroutine_handle<> h) {
    const void* code = code_of(h);
    // One that has ended is still known by the code that destroys it: the word behind.
    if (!code) std::memcpy(&code, static_cast<const char*>(h.address()) + sizeof code, sizeof code);
    return describe_coroutine_code(code);
}

void report_never_awaited(std::coroutine_handle<> h, const void* made_at) noexcept {
    try {
        failure_info lost;
        lost.task_name = describe_coroutine(h);
        // Inlined into another coroutine, the maker's own code stands for the maker.
        if (describe_code(made_at).find("coroutine_handle") == std::string::npos) {
            lost.address = made_at;
        }
        lost.exception = std::make_exception_ptr(
            invalid_state_error("the coroutine was never awaited, so nothing of it ran; co_await "
                                "it, spawn it, or hand it to gather"));
        report_failure(lost);
    } catch (...) {
        // Without memory there is nobody to tell.
    }
}

void report_lost(const std::exception_ptr& failure,
                 const char* of,
                 std::coroutine_handle<> h) noexcept {
    try {
        failure_info lost;
        if (h) lost.task_name = describe_coroutine(h) + ", ";
        // clang's code for destroying may begin with what it inlined of ours: that names nobody.
        if (lost.task_name.find("heddle::detail::") != std::string::npos) lost.task_name.clear();
        lost.task_name += of;
        lost.exception = failure;
        report_failure(lost);
    } catch (...) {
        // As above.
    }
}

void throw_task_used() {
    throw invalid_state_error("the task is empty: it was moved from, or awaited before; make a new "
                              "one by calling the coroutine again");
}

bool is_cancellation(const std::exception_ptr& failure) noexcept {
    if (!failure) return false;
    try {
        std::rethrow_exception(failure);
    } catch (const cancelled_error&) {
        return true;
    } catch (...) {
        return false;
    }
}

void event_loop::report_kept(duration took, const void* code, const job* then) const noexcept {
    using ms = std::chrono::milliseconds;
    const auto count = [](duration d) {
        return std::to_string(std::chrono::duration_cast<ms>(d).count()) + " ms";
    };
    try {
        failure_info slow;
        slow.task_name = describe_coroutine_code(code);
        std::string until = "it ended";
        if (then) until = "it awaited " + describe_wait(*then);
        slow.exception = std::make_exception_ptr(error(
            "the task kept its loop for " + count(took) + " until " + until + "; the limit is " +
            count(duration(watchdog_)) + ": give what blocks or computes to aio::to_thread"));
        report_failure(slow);
    } catch (...) {
        // As above.
    }
}

std::string event_loop::describe_wait(const job& j) {
    std::string text = j.waiting_->what();
    if (j.at_ != j.root_handle()) text += " in " + describe_coroutine(j.at_);
    return text;
}

std::string event_loop::describe_jobs() const {
    std::string text;
    owned_.for_each([&text](const job& j) { describe(j, 0, text); });
    return text;
}

void event_loop::describe(const job& j, std::size_t level, std::string& text) {
    text.append(2 * level, ' ');
    text += describe_coroutine(j.root_handle());
    const job_list* children = nullptr;
    if (&j == this_loop.current) {
        text += " is running";
    } else if (j.state_ == job::state::suspended) {
        text += " awaits " + describe_wait(j);
        children = j.waiting_->children();
    } else {
        text += j.started_ ? " is about to go on" : " has not begun";
    }
    if (j.cancelled_) text += ", cancelled";
    text += '\n';
    if (!children) return;
    children->for_each([&](const job& c) { describe(c, level + 1, text); });
}

} // namespace heddle::detail
