#include <cassert>
#include <semaphore>
#include <thread>
std::binary_semaphore ping(0), pong(0);
int ball = 0;
int main() {
    std::thread a([] {
        for (int i = 0; i < 3; ++i) {
            ping.acquire();
            ++ball;
            pong.release();
        }
    });
    for (int i = 0; i < 3; ++i) {
        ping.release();
        pong.acquire();
        assert(ball == i + 1);
    }
    a.join();
}
