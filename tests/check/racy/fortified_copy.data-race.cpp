// -std=c++17 -O2 -D_FORTIFY_SOURCE=2
// Where the compiler is told to check the sizes of buffers, it calls other functions.
#include <cstring>
#include <thread>

char name[16];

int main(int count, char** arguments) {
    const auto n = static_cast<std::size_t>(count) + 3;
    std::thread other([&] { std::memcpy(name, arguments[0], n); });
    std::memset(name, 'x', n);
    other.join();
}
