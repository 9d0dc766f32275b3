// What a compiler may make of `while (!stop) {}`: where the worker is first, it never ends.
#include <thread>
bool stop = false;
int main() {
    std::thread worker([] {
        if (!stop)
            for (;;) asm volatile("");
    });
    stop = true;
    worker.join();
}
