// The one-word mutex keeps two threads apart and loses no wake-up; a waiter in the list is woken.
#include <heddle/detail/parking.hpp>

#include <cassert>
#include <thread>

using heddle::detail::light_mutex;
using heddle::detail::wait_list;

int main() {
    light_mutex mutex;
    wait_list waiters;
    int counter = 0;
    bool ready = false;
    const auto count = [&] {
        for (int i = 0; i < 2; ++i) {
            mutex.lock();
            ++counter;
            mutex.unlock();
        }
    };
    std::thread a(count), b(count);
    std::thread waiter([&] {
        wait_list::lock_type lock(mutex);
        const bool in_time =
            waiters.wait(lock, heddle::detail::deadline::never(), [&] { return ready; });
        assert(in_time && ready);
    });
    {
        wait_list::lock_type lock(mutex);
        ready = true;
        waiters.notify_one(lock);
    }
    a.join();
    b.join();
    waiter.join();
    assert(counter == 4);
}
