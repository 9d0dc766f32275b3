#include <chrono>
#include <thread>
int main() {
    std::thread a([] {
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(3);
        while (std::chrono::steady_clock::now() < end) {
        }
    });
    a.join();
}
