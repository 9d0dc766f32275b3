// A ring of threads hands a token on by spinning; one of them hands it on before its work is done.
// The work is atomic, so there is no data race to see.
#include <atomic>
#include <cassert>
#include <thread>

std::atomic<int> token{0}, work{0};

void wait_for(int mine) {
    while (token.load(std::memory_order_acquire) != mine) {
    }
}

int main() {
    std::thread first([] {
        wait_for(0);
        work.store(1, std::memory_order_relaxed);
        token.store(1, std::memory_order_release);
    });
    std::thread second([] {
        wait_for(1);
        const int seen = work.load(std::memory_order_relaxed);
        token.store(2, std::memory_order_release); // too early
        work.store(seen + 1, std::memory_order_relaxed);
    });
    std::thread third([] {
        wait_for(2);
        const int seen = work.load(std::memory_order_relaxed);
        work.store(seen + 1, std::memory_order_relaxed);
        token.store(3, std::memory_order_release);
    });
    wait_for(3);
    first.join();
    second.join();
    third.join();
    assert(work == 3);
}
