// Every step is atomic, the whole is not.
#include <atomic>
#include <cassert>
#include <thread>
std::atomic<int> tickets{1}, sold{0};
void buy() {
    if (tickets > 0) {
        --tickets;
        ++sold;
    }
}
int main() {
    std::thread a(buy), b(buy);
    a.join();
    b.join();
    assert(sold <= 1);
}
