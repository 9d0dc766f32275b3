// The race inside libstdc++'s own lock is not the program's.
#include <atomic>
#include <memory>
#include <thread>
int main() {
    std::atomic<std::shared_ptr<int>> current(std::make_shared<int>(1));
    std::thread writer([&] { current.store(std::make_shared<int>(2)); });
    std::thread reader([&] {
        const auto p = current.load();
        (void)*p;
    });
    writer.join();
    reader.join();
}
