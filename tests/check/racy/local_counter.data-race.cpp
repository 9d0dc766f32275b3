// The variable is a local of main, shared by reference.
#include <thread>
int main() {
    int total = 0;
    std::thread a([&] { total += 1; });
    std::thread b([&] { total += 2; });
    a.join();
    b.join();
    return total > 3;
}
