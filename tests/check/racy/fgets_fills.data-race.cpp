// The C library fills the line while another thread prints it.
#include <cstdio>
#include <thread>

char line[64];

int main() {
    FILE* file = tmpfile();
    std::fputs("a line\n", file);
    std::rewind(file);
    std::thread reader([&] { std::fgets(line, sizeof line, file); });
    std::printf("%s", line);
    reader.join();
}
