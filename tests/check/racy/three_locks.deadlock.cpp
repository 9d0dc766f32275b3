// Three philosophers, each takes the left fork first.
#include <mutex>
#include <thread>
std::mutex fork_[3];
void eat(int i) {
    std::lock_guard left(fork_[i]);
    std::lock_guard right(fork_[(i + 1) % 3]);
}
int main() {
    std::thread a(eat, 0), b(eat, 1), c(eat, 2);
    a.join();
    b.join();
    c.join();
}
