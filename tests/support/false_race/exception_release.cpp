/// A correct program in which ThreadSanitizer reports a race: why support/main.cpp suppresses one.
///
/// Two threads own an `exception_ptr` each to one exception, look at it, and let it go; the last
/// to let go frees it. What orders the look before the free is the reference count. Its atomic
/// decrement is in `exception_ptr::_M_release`, in libstdc++.so, which is not compiled with
/// -fsanitize=thread: ThreadSanitizer intercepts the `free` there, but does not see the decrement.
/// Nothing of Heddle takes part. Once this program is silent the suppression can go.
#include <exception>
#include <stdexcept>
#include <thread>
#include <utility>

namespace {

bool has_text(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        return e.what()[0] != '\0';
    }
}

} // namespace

int main() {
    bool all = true;
    for (int round = 0; round < 2000; ++round) { // in each the one or the other is the last
        std::exception_ptr mine = std::make_exception_ptr(std::runtime_error("shared"));
        bool seen = false;
        std::thread other([&seen, theirs = mine]() mutable {
            seen = has_text(theirs);
            theirs = nullptr;
        });
        all &= has_text(mine);
        mine = nullptr;
        other.join();
        all &= seen;
    }
    return all ? 0 : 1;
}
