#include <atomic>
#include <cassert>
#include <memory>
#include <thread>
std::shared_ptr<int> current = std::make_shared<int>(1);
int main() {
    std::thread writer([] { std::atomic_store(&current, std::make_shared<int>(2)); });
    std::thread reader([] {
        const auto p = std::atomic_load(&current);
        assert(*p == 1 || *p == 2);
    });
    writer.join();
    reader.join();
}
