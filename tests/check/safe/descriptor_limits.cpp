// Waits with limits of their own, and files: nobody sends anything, and nothing waits for ever.
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>

void wait_in_vain(int fd) {
    const timeval limit{3, 0};
    assert(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    char byte = 0;
    assert(recv(fd, &byte, 1, 0) == -1 && errno == EAGAIN);
    const timespec second{1, 0};
    pollfd one{fd, POLLIN, 0};
    assert(ppoll(&one, 1, &second, nullptr) == 0);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    assert(pselect(fd + 1, &set, nullptr, nullptr, &second, nullptr) == 0);
}

void write_and_read() {
    FILE* file = tmpfile();
    char line[16];
    std::fputs("hello\nworld\n", file);
    std::rewind(file);
    assert(std::fgets(line, sizeof line, file) && std::strcmp(line, "hello\n") == 0);
    assert(std::fread(line, 1, 5, file) == 5 && std::memcmp(line, "world", 5) == 0);
    assert(pwrite(fileno(file), "W", 1, 6) == 1);
    assert(pread(fileno(file), line, 5, 6) == 5 && std::memcmp(line, "World", 5) == 0);
    std::fclose(file);
}

int main() {
    int ends[2];
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    std::thread one(wait_in_vain, ends[0]), two(write_and_read);
    wait_in_vain(ends[1]);
    one.join();
    two.join();
}
