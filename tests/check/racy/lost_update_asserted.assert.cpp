#include <cassert>
#include <thread>
int counter = 0;
int main() {
    std::thread a([] { ++counter; });
    std::thread b([] { ++counter; });
    a.join();
    b.join();
    assert(counter == 2);
}
