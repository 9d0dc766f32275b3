// After the Bluetooth driver of Qadeer and Wu (2004): work goes on after the driver has stopped.
#include <atomic>
#include <cassert>
#include <thread>
std::atomic<int> pending{1};
std::atomic<bool> stopping{false}, stopped{false};
void leave() {
    if (--pending == 0) stopped = true;
}
int main() {
    std::thread worker([] {
        if (stopping) return;
        ++pending;
        assert(!stopped);
        leave();
    });
    stopping = true;
    leave();
    worker.join();
}
