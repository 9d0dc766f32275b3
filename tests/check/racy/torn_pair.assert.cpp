// Two values that belong together, each under its own lock.
#include <cassert>
#include <mutex>
#include <thread>
std::mutex m;
int left = 0, right = 0;
int main() {
    std::thread writer([] {
        {
            std::lock_guard l(m);
            left = 1;
        }
        {
            std::lock_guard l(m);
            right = 1;
        }
    });
    std::thread reader([] {
        std::lock_guard l(m);
        assert(left == right);
    });
    writer.join();
    reader.join();
}
