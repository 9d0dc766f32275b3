// A lock-free stack of indices that does not notice that its head went and came back.
#include <atomic>
#include <cassert>
#include <thread>
std::atomic<int> head{0};
std::atomic<int> next_of[3] = {1, 2, -1};
std::atomic<int> taken[3];
int pop() {
    int h = head;
    while (h >= 0 && !head.compare_exchange_strong(h, next_of[h])) {
    }
    return h;
}
void take() {
    const int h = pop();
    if (h >= 0) assert(taken[h]++ == 0);
}
int main() {
    std::thread slow(take);
    std::thread fast([] {
        const int a = pop(), b = pop();
        if (b >= 0) ++taken[b];
        if (a >= 0) { // gives the first one back
            next_of[a] = head.load();
            head = a;
        }
    });
    slow.join();
    fast.join();
    take();
    take();
}
