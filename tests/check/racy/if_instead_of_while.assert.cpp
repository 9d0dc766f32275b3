// A wait on a condition variable may end without a notification, so what it is for must be looked
// at again: `while`, not `if`.
#include <cassert>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

std::mutex lock;
std::condition_variable filled;
std::deque<int> items;

void take() {
    std::unique_lock guard(lock);
    if (items.empty()) filled.wait(guard);
    assert(!items.empty());
    items.pop_front();
}

int main() {
    std::thread taker(take);
    {
        std::lock_guard guard(lock);
        items.push_back(1);
    }
    filled.notify_one();
    taker.join();
}
