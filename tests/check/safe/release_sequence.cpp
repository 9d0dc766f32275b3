// The last decrement sees the others through a chain of read-modify-writes.
#include <atomic>
#include <cassert>
#include <thread>
int data[3];
std::atomic<int> left{3};
void work(int i) {
    data[i] = i + 1;
    if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) assert(data[0] + data[1] + data[2] == 6);
}
int main() {
    std::thread a(work, 0), b(work, 1), c(work, 2);
    a.join();
    b.join();
    c.join();
}
