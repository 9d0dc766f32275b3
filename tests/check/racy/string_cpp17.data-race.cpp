// -std=c++17
// What a std::string does is compiled into libstdc++.so then, which is not instrumented.
#include <iostream>
#include <string>
#include <thread>

std::string name = "unknown";

int main() {
    std::thread setter([] { name = "a name that is too long for the small buffer"; });
    std::thread reader([] { std::cout << name.size() << "\n"; });
    setter.join();
    reader.join();
}
