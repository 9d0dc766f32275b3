// More goes through the pipe than it holds: writer and reader wait for each other by turns.
#include <fcntl.h>
#include <unistd.h>

#include <cassert>
#include <thread>
#include <vector>

int main() {
    int ends[2];
    assert(pipe(ends) == 0 && fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096);
    const std::vector<char> much(20'000, 'x');
    std::thread writer([&] {
        assert(write(ends[1], much.data(), much.size()) == static_cast<ssize_t>(much.size()));
        close(ends[1]);
    });
    std::vector<char> part(3000);
    std::size_t came = 0;
    for (ssize_t n = 1; n > 0; came += static_cast<std::size_t>(n)) {
        n = read(ends[0], part.data(), part.size());
        assert(n >= 0);
    }
    assert(came == much.size());
    writer.join();
}
