#include <mutex>
#include <thread>
std::mutex m;
int value = 0;
int main() {
    int seen = 0;
    std::thread writer([] {
        std::lock_guard l(m);
        value = 7;
    });
    std::thread reader([&] { seen = value; });
    writer.join();
    reader.join();
    return seen > 7;
}
