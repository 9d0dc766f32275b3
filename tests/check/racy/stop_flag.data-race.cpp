#include <thread>
bool stop = false;
int main() {
    std::thread worker([] {
        for (int i = 0; i < 100 && !stop; ++i) std::this_thread::yield();
    });
    stop = true;
    worker.join();
}
