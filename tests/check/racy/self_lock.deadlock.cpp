#include <mutex>
#include <thread>
std::mutex m;
int depth = 0;
void work(bool again) {
    std::lock_guard l(m);
    ++depth;
    if (again) work(false);
}
int main() {
    std::thread a([] { work(true); });
    a.join();
}
