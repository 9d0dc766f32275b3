#include "../core/birth.hpp"
#include "../core/context.hpp"
#include "../core/crash.hpp"

#include <heddle/thread.hpp>

#include <pthread.h>

#include <mutex>
#include <thread>

namespace heddle::detail {

struct thread_handle::parts {
    std::mutex mutex; ///< several may join at once; one of them does it
    std::thread thread;
    birth born; ///< a forked child has no such thread to join
};

thread_handle::thread_handle(task& t, std::string name)
    : parts_(std::make_unique<parts>()), task_(t), name_(std::move(name)) {
    t.set_owner(nullptr, parts_->born.forks()); // so that a wait in a forked child is refused
    parts_->thread = std::thread([&t, shown = name_.substr(0, 15)] {
        pthread_setname_np(pthread_self(), shown.c_str());
        const crash_stack for_crashes;
        if (t.start()) execute(t, true);
        else t.drop_owner();
    });
}

thread_handle::~thread_handle() {
    if (parts_->born.was_elsewhere()) {
        (void)parts_.release(); // not ours to join, and maybe locked: leak
        return;
    }
    if (!parts_->thread.joinable()) return;
    task_.request_stop();
    if (parts_->thread.get_id() == std::this_thread::get_id()) {
        parts_->thread.detach();
        return;
    }
    // A cycle of waits would be thrown by wait(), and a destructor must not throw: so this waits
    // for ever in that case, as any thread that waits for itself.
    const blocking_section section({}, true, deadline::never());
    parts_->thread.join();
}

void thread_handle::join() {
    join(deadline::never());
}

bool thread_handle::join(deadline limit) {
    if (!task_.wait(limit)) return false;
    if (parts_->born.was_elsewhere()) return true;
    // The callable has returned; what is left is the end of the thread itself.
    std::lock_guard lock(parts_->mutex);
    if (parts_->thread.joinable() && parts_->thread.get_id() != std::this_thread::get_id()) {
        parts_->thread.join();
    }
    return true;
}

std::string default_thread_name() {
    // Protocol: a counter; no data depends on it.
    static constinit atomic<int> started{0};
    return "thread-" + std::to_string(started.fetch_add(1, std::memory_order_relaxed));
}

} // namespace heddle::detail
