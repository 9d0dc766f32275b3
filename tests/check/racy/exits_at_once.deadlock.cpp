// Two locks in both orders, in a program that leaves by _exit() as compressors and servers do.
#include <unistd.h>

#include <mutex>
#include <thread>

std::mutex in, out;
int copied = 0;

int main() {
    std::thread reader([] {
        std::lock_guard first(in);
        std::lock_guard second(out);
        copied++;
    });
    std::thread writer([] {
        std::lock_guard first(out);
        std::lock_guard second(in);
        copied++;
    });
    reader.join();
    writer.join();
    _exit(copied == 2 ? 0 : 1);
}
