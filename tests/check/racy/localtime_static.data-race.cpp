// localtime() gives every caller the same object: the second call changes what the first one got.
#include <cstdio>
#include <ctime>
#include <thread>

int year(std::time_t when) {
    const std::tm* parts = std::localtime(&when);
    return 1900 + parts->tm_year;
}

int main() {
    int then = 0;
    std::thread other([&] { then = year(86'400); });
    const int later = year(1'000'000'000);
    other.join();
    std::printf("%d %d\n", then, later);
}
