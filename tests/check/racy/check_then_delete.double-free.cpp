#include <atomic>
#include <thread>
std::atomic<int*> slot{new int(1)};
void drop() {
    int* p = slot.load();
    if (p != nullptr) {
        slot.store(nullptr);
        delete p;
    }
}
int main() {
    std::thread a(drop), b(drop);
    a.join();
    b.join();
}
