#include <memory>
#include <thread>
int main() {
    auto cell = std::make_unique<long>(0);
    std::thread a([&] { *cell += 1; });
    std::thread b([&] { *cell += 1; });
    a.join();
    b.join();
}
