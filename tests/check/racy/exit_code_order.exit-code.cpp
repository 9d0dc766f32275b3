#include <atomic>
#include <thread>
std::atomic<int> last{0};
int main() {
    std::thread a([] { last = 1; });
    std::thread b([] { last = 2; });
    a.join();
    b.join();
    return last == 2 ? 0 : 1;
}
