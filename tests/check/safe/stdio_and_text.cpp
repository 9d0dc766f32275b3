// Each thread formats and prints text of its own; they share what is only read, and the streams,
// which lock themselves.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>

const char* const names[] = {"one", "two"};
std::mutex guards_all_text;
std::ostringstream all_text;

void print(int n) {
    char mine[32], other[32];
    std::snprintf(mine, sizeof mine, "%s-%d", names[n], n);
    std::strncpy(other, mine, sizeof other - 1);
    other[sizeof other - 1] = 0;
    std::strncat(other, names[n], 1);
    if (std::strcmp(mine, other) == 0 || std::strncmp(mine, other, 3) != 0) std::abort();
    char* copy = strdup(other);
    std::puts(copy);
    std::free(copy);
    std::fputs(mine, stdout);
    std::fwrite(mine, 1, 3, stdout);
    std::ostringstream text;
    text << n << names[n] << std::to_string(n * 1.5);
    std::cout << text.str() << n << 0.5 << std::endl;
    std::lock_guard lock(guards_all_text);
    all_text << text.str() << n << 0.5 << '\n' << std::flush;
    std::cerr << all_text.str().size();
}

int main() {
    std::thread a(print, 0), b(print, 1);
    a.join();
    b.join();
}
