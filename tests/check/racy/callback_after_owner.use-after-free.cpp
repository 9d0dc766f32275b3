// The thread outlives the object that started it.
#include <atomic>
#include <thread>
struct service {
    std::atomic<int> calls{0};
    std::thread worker{[this] { ++calls; }};
    ~service() { worker.detach(); }
};
std::atomic<bool> over{false};
int main() {
    auto* s = new service;
    delete s;
    for (int i = 0; i < 20; ++i) std::this_thread::yield();
}
