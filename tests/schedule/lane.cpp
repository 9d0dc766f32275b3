// The lane of tasks from outside: two producers and a claimer that goes to
// sleep; everything comes once, the first first, and no push is overlooked.
#include "pool/lane.hpp"

#include <cassert>
#include <cstdint>
#include <mutex>
#include <thread>

using heddle::detail::lane;
using heddle::detail::task;
using heddle::detail::work;

namespace {
struct item {
    int payload = 0, taken = 0, place = 0;
};
item items[3];
} // namespace

int main() {
    lane l;
    std::mutex mutex;
    int order = 0; // guarded by mutex
    const auto take = [&] {
        work w;
        bool taken = l.take(w);
        if (!taken) {
            lane::block* retired = nullptr;
            std::uint64_t claimed = 0;
            {
                std::lock_guard lock(mutex);
                claimed = l.claim_locked(retired);
            }
            l.retire(retired);
            taken = lane::read(claimed, w);
        }
        if (!taken) return 0;
        item& i = *reinterpret_cast<item*>(w.whole);
        assert(i.payload == 7);
        ++i.taken;
        std::lock_guard lock(mutex);
        i.place = ++order;
        return 1;
    };
    bool woken = false; // guarded by mutex
    const auto push = [&](item& i) {
        i.payload = 7;
        work w;
        w.whole = reinterpret_cast<task*>(&i);
        const lane::place place = l.announce();
        if (place.where && !place.wake) {
            lane::fill(*place.where, w);
            return;
        }
        std::lock_guard lock(mutex);
        if (place.where) {
            lane::fill(*place.where, w);
            woken = true;
        } else {
            l.forget_attempts();
            woken = l.push_locked(w) || woken;
        }
    };
    push(items[0]);
    int other = 0, mine = 0;
    bool slept = false;
    std::thread claimer([&] {
        other = take() + take();
        std::lock_guard lock(mutex);
        l.set_wake(true);
        slept = l.looks_empty();
    });
    std::thread producer([&] { push(items[1]); });
    push(items[2]);
    producer.join();
    claimer.join();
    // Asleep with something in the queue that nobody was told of: a lost wake-up.
    assert(!slept || woken || l.looks_empty());
    while (take() != 0) ++mine;
    assert(mine + other == 3);
    for (const item& i : items) assert(i.taken == 1);
    assert(items[0].place == 1);
}
