// Mixing letters is allowed, racing is not: the standard streams are safe.
#include <iostream>
#include <thread>
int main() {
    std::thread a([] {
        for (int i = 0; i < 3; ++i) std::cout << "a" << i << std::endl;
    });
    std::thread b([] {
        for (int i = 0; i < 3; ++i) std::cout << "b" << i << std::endl;
    });
    a.join();
    b.join();
}
