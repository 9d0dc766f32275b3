// The owner pushes and pops, a thief steals: every task is taken once, and who takes it sees it.
#include "pool/deque.hpp"

#include <cassert>
#include <thread>

using heddle::detail::deque;
using heddle::detail::task;

namespace {

struct item {
    int payload = 0; // written before the push, by the owner
    int taken = 0;   // by whoever takes it: twice would be a data race, and an assertion
};
item items[3];

task* as_task(item& i) {
    return reinterpret_cast<task*>(&i); // the deque never looks at what it holds
}

int take(task* t) {
    if (!t) return 0;
    item& i = *reinterpret_cast<item*>(t);
    assert(i.payload == 7);
    ++i.taken;
    return 1;
}

} // namespace

int main() {
    deque d;
    int stolen = 0, popped = 0;
    std::thread thief([&] {
        for (int i = 0; i < 2; ++i) stolen += take(d.steal());
    });
    for (item& i : items) {
        i.payload = 7;
        d.push(as_task(i));
    }
    popped += take(d.pop());
    popped += take(d.pop());
    thief.join();
    while (task* t = d.pop()) popped += take(t);
    assert(stolen + popped == 3);
    for (const item& i : items) assert(i.taken == 1);
}
