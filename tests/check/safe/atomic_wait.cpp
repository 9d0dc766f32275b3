#include <atomic>
#include <cassert>
#include <thread>
std::atomic<int> state{0};
int payload = 0;
int main() {
    std::thread a([] {
        state.wait(0);
        assert(payload == 3);
    });
    payload = 3;
    state = 1;
    state.notify_one();
    a.join();
}
