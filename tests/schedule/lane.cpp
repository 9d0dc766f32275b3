// The lane of tasks from outside: two claimers and the producer's mutex; everything comes once.
#include "pool/lane.hpp"

#include <cassert>
#include <mutex>
#include <thread>

using heddle::detail::lane;
using heddle::detail::task;
using heddle::detail::work;

namespace {
struct item {
    int payload = 0, taken = 0;
};
item items[3];
} // namespace

int main() {
    lane l;
    std::mutex mutex;
    const auto take = [&] {
        work w = l.take();
        lane::block* retired = nullptr;
        if (!w) {
            std::lock_guard lock(mutex);
            w = l.take_locked(retired);
        }
        l.retire(retired);
        if (!w) return 0;
        item& i = *reinterpret_cast<item*>(w.whole);
        assert(i.payload == 7);
        ++i.taken;
        return 1;
    };
    int other = 0, mine = 0;
    std::thread claimer([&] { other = take() + take(); });
    for (item& i : items) {
        i.payload = 7;
        work w;
        w.whole = reinterpret_cast<task*>(&i);
        std::lock_guard lock(mutex);
        l.push(w);
    }
    mine = take();
    claimer.join();
    while (take() != 0) ++mine;
    assert(mine + other == 3);
    for (const item& i : items) assert(i.taken == 1);
}
