// The message says that the data is there, and is sent before it is.
#include <unistd.h>

#include <cassert>
#include <thread>

int data = 0;

int main() {
    int ends[2];
    if (pipe(ends) != 0) return 2;
    std::thread reader([&] {
        char byte = 0;
        if (read(ends[0], &byte, 1) == 1) assert(data == 42);
    });
    const bool sent = write(ends[1], "x", 1) == 1;
    data = 42;
    reader.join();
    return sent ? 0 : 2;
}
