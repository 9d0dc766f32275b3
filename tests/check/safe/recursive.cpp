#include <mutex>
#include <thread>
std::recursive_mutex m;
int depth = 0;
void enter(int n) {
    std::lock_guard l(m);
    ++depth;
    if (n > 0) enter(n - 1);
}
int main() {
    std::thread a(enter, 3), b(enter, 2);
    a.join();
    b.join();
    return depth - 7;
}
