#include <cstring>
#include <thread>
char buffer[64];
volatile std::size_t size = sizeof buffer; // not constant, or the compiler would expand the calls
int main() {
    char copy[64];
    std::thread a([] { std::memset(buffer, 'x', size); });
    std::thread b([&] { std::memcpy(copy, buffer, size); });
    a.join();
    b.join();
}
