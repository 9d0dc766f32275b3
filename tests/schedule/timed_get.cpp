// One getter waits for a limited time, another without: whichever way its time ends, each item is
// got once or is still in the queue, and nobody sleeps beside one.
#include <heddle/queue.hpp>

#include <cassert>
#include <chrono>
#include <thread>

int main() {
    using namespace std::chrono_literals;
    heddle::queue<int> q(2);
    int one = 0, other = 0;
    std::thread hurried([&] { one = q.get_for(1ms).value_or(0); });
    std::thread patient([&] { other = q.get(); });
    q.put(1);
    q.put(2);
    hurried.join();
    patient.join();
    assert(other != 0);
    assert(one + other + q.try_get().value_or(0) == 3);
}
