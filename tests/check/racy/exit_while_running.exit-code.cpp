#include <atomic>
#include <thread>
std::atomic<int> written{0};
int main() {
    std::thread logger([] {
        for (int i = 0; i < 3; ++i) ++written;
    });
    logger.detach();
    for (int i = 0; i < 5; ++i) std::this_thread::yield();
    return written == 3 ? 0 : 2;
}
