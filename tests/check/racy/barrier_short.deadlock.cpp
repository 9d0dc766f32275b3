// A barrier for three that only two reach.
#include <barrier>
#include <thread>
std::barrier gate(3);
int main() {
    std::thread a([] { gate.arrive_and_wait(); });
    std::thread b([] { gate.arrive_and_wait(); });
    a.join();
    b.join();
}
