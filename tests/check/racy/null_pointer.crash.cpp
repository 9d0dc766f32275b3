#include <atomic>
#include <thread>
int number = 3;
std::atomic<int*> shared{&number};
int main() {
    std::thread clearer([] { shared = nullptr; });
    std::thread user([] {
        if (shared != nullptr) *shared = 4;
    });
    clearer.join();
    user.join();
}
