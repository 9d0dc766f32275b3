// Double-checked locking without an atomic.
#include <mutex>
#include <thread>
std::mutex m;
int* instance = nullptr;
int storage = 5;
int get() {
    if (instance == nullptr) {
        std::lock_guard l(m);
        if (instance == nullptr) instance = &storage;
    }
    return *instance;
}
int main() {
    std::thread a([] { get(); });
    std::thread b([] { get(); });
    a.join();
    b.join();
}
