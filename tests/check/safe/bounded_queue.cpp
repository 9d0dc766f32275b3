#include <cassert>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
struct queue {
    std::mutex m;
    std::condition_variable not_empty, not_full;
    std::deque<int> items;
    void put(int x) {
        std::unique_lock l(m);
        not_full.wait(l, [&] { return items.size() < 2; });
        items.push_back(x);
        not_empty.notify_one();
    }
    int get() {
        std::unique_lock l(m);
        not_empty.wait(l, [&] { return !items.empty(); });
        const int x = items.front();
        items.pop_front();
        not_full.notify_one();
        return x;
    }
} q;
int main() {
    std::thread producer([] {
        for (int i = 1; i <= 4; ++i) q.put(i);
    });
    int sum = 0;
    for (int i = 0; i < 4; ++i) sum += q.get();
    producer.join();
    assert(sum == 10);
}
