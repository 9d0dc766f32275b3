// -std=c++17 -O2 -D_FORTIFY_SOURCE=2
// What functions of the C library do to texts, under a lock: the finder does some of it itself.
#include <array>
#include <cassert>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <mutex>
#include <string>
#include <thread>

std::mutex lock;
char line[128];

void compose(const std::string& name, std::size_t count) {
    std::lock_guard guard(lock);
    std::memset(line, 'x', count);
    std::strcpy(line, name.c_str());
    std::strcat(line, " and ");
    std::strncat(line, name.c_str(), 2);
    const std::size_t end = std::strlen(line);
    std::snprintf(line + end,
                  sizeof line - end,
                  "|%3d|%-5s|%.2s|%*.1f|%lu|%c|%%",
                  7,
                  "ab",
                  "cdef",
                  6,
                  2.5,
                  static_cast<unsigned long>(count),
                  'z');
    assert(line == name + " and " + name.substr(0, 2) + "|  7|ab   |cd|   2.5|" +
                       std::to_string(count) + "|z|%");
    assert(std::strchr(line, '|') == line + end);
    assert(std::strrchr(line, '%') == line + std::strlen(line) - 1);
    assert(std::strchr(line, '#') == nullptr && *std::strchr(line, 0) == 0);
    assert(std::strstr(line, "and") == line + name.size() + 1 && strstr(line, "nor") == nullptr);
    assert(std::memchr(line, ' ', sizeof line) == line + name.size());
    std::memmove(line + 1, line, end);
    std::memcpy(line + end, name.data(), name.size());
    assert(stpcpy(line, name.c_str()) == line + name.size());
    assert(mempcpy(line, name.data(), name.size()) == line + name.size());
}

int day_of(std::time_t when) {
    std::tm parts{};
    localtime_r(&when, &parts);
    return parts.tm_year;
}

int words(std::string text) {
    char* rest = nullptr;
    int count = 0;
    for (char* word = strtok_r(text.data(), " ", &rest); word != nullptr;
         word = strtok_r(nullptr, " ", &rest))
        ++count;
    return count;
}

int main(int count, char** arguments) {
    const std::size_t n = 3 + static_cast<std::size_t>(count);
    const auto work = [&](const char* name) {
        compose(name, n);
        assert(words("one two three") == 3 && day_of(86'400) == 70);
        std::lock_guard guard(lock);
        std::printf("%s %s\n", line, arguments[0]);
    };
    std::thread alice(work, "alice"), bob(work, "bob");
    alice.join();
    bob.join();
    std::tm* parts = std::gmtime(std::array<std::time_t, 1>{0}.data());
    assert(parts->tm_year == 70);
}
