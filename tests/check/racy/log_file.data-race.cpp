// Two threads write to one file stream without a lock; only the standard streams stand that.
#include <fstream>
#include <thread>

std::ofstream log_file("/dev/null");

int main() {
    std::thread a([] { log_file << "first " << 1 << std::endl; });
    std::thread b([] { log_file << "second " << 2.5 << '\n'; });
    a.join();
    b.join();
}
