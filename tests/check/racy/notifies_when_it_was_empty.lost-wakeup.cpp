// Two consumers sleep, two things come, and only the first of them is told of.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
std::mutex m;
std::condition_variable not_empty;
std::deque<int> things;
void put(int thing) {
    std::lock_guard lock(m);
    const bool was_empty = things.empty();
    things.push_back(thing);
    if (was_empty) not_empty.notify_one();
}
void take() {
    std::unique_lock lock(m);
    not_empty.wait(lock, [] { return !things.empty(); });
    things.pop_front();
}
int main() {
    std::thread a(take), b(take);
    put(1);
    put(2);
    a.join();
    b.join();
}
