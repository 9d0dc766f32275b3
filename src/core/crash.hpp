/// Crash notes: what a thread needs so that a crash on it can name its task.
#pragma once

#include <cstddef>

namespace heddle::detail {

/// The stack on which this thread's crash is noted: a stack overflow leaves no other. Does nothing
/// unless note_crashes() has been called. Where there is no memory for it the thread does without.
class crash_stack {
public:
    crash_stack() noexcept;
    ~crash_stack();
    crash_stack(const crash_stack&) = delete;
    crash_stack& operator=(const crash_stack&) = delete;

private:
    void* memory_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace heddle::detail
