// A detached thread goes on with a reference to a local of the function that started it.
#include <atomic>
#include <thread>
struct progress {
    int steps = 0;
};
std::atomic<bool> finished{false};
void work(progress& p) {
    for (int i = 0; i < 3; ++i) ++p.steps;
    finished = true;
}
[[gnu::noinline]] void start() {
    progress p;
    std::thread(work, std::ref(p)).detach();
}
int main() {
    start();
    while (!finished) std::this_thread::yield();
}
