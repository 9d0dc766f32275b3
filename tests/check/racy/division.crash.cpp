#include <atomic>
#include <thread>
std::atomic<int> workers{1}, share{0};
int main() {
    std::thread leaver([] { --workers; });
    std::thread splitter([] {
        if (workers > 0) share = 100 / workers;
    });
    leaver.join();
    splitter.join();
}
