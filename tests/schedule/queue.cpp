// A bounded queue: what is put is got once and in order, and a shutdown reaches who sleeps.
#include <heddle/queue.hpp>

#include <cassert>
#include <optional>
#include <thread>

int main() {
    heddle::queue<int> q(1);
    int got = 0, sum = 0;
    std::thread putter([&] {
        for (int i = 1; i <= 3; ++i) q.put(i);
        q.shutdown();
    });
    std::thread getter([&] {
        int last = 0;
        for (const int i : q) {
            assert(i > last);
            last = i;
            ++got;
            sum += i;
        }
    });
    putter.join();
    getter.join();
    assert(got == 3 && sum == 6);
}
