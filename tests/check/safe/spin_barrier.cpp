// A barrier by spinning, used again and again.
#include <atomic>
#include <cassert>
#include <thread>

constexpr int threads = 3;
std::atomic<int> here{0}, round_number{0};
int written[threads];

void meet() {
    const int mine = round_number;
    if (here.fetch_add(1) + 1 == threads) {
        here.store(0);
        round_number.fetch_add(1);
        return;
    }
    while (round_number.load() == mine) {
    }
}

void work(int me) {
    for (int i = 1; i < 4; ++i) {
        written[me] = i;
        meet();
        for (int w : written) assert(w == i);
        meet();
    }
}

int main() {
    std::thread a(work, 0), b(work, 1), c(work, 2);
    a.join();
    b.join();
    c.join();
}
