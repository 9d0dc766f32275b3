// printf() reads a text that another thread writes: only the format says so.
#include <cstdio>
#include <cstring>
#include <thread>

char name[64] = "nobody";

int main(int, char** arguments) {
    std::thread other([&] { std::strncpy(name, arguments[0], sizeof name - 1); });
    std::printf("%5d|%-4s|%.*f|%ld: %s\n", 1, "", 2, 1.5, 7L, name);
    other.join();
}
