// Two threads write a message into one buffer: the C library does it for them.
#include <cstdio>
#include <thread>

char message[64];

int main() {
    std::thread a([] { std::snprintf(message, sizeof message, "%s: %d", "a", 1); });
    std::thread b([] { std::sprintf(message, "%s: %d", "b", 2); });
    a.join();
    b.join();
    std::puts(message);
}
