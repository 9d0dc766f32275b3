// A barrier by spinning that opens before it counts from zero again: a thread that is quick to come
// back is not counted, and all wait for it for ever.
#include <atomic>
#include <thread>

constexpr int threads = 3;
std::atomic<int> here{0}, round_number{0};

void meet() {
    const int mine = round_number;
    if (here.fetch_add(1) + 1 == threads) {
        round_number.fetch_add(1);
        here.store(0); // too late
        return;
    }
    while (round_number.load() == mine) std::this_thread::yield();
}

void work() {
    for (int i = 0; i < 3; ++i) meet();
}

int main() {
    std::thread a(work), b(work), c(work);
    a.join();
    b.join();
    c.join();
}
