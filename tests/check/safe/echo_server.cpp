// A server around epoll and its clients, all in one process.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cassert>
#include <cstring>
#include <thread>

int answered = 0; // of the server alone, until it has ended

void answer(int client) {
    char text[16];
    const ssize_t length = recv(client, text, sizeof text, 0);
    assert(length > 0 && send(client, text, static_cast<std::size_t>(length), 0) == length);
    ++answered;
    close(client);
}

void serve(int listener, int stop) {
    const int set = epoll_create1(0);
    for (const int fd : {listener, stop}) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        assert(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
    }
    for (bool stopped = false; !stopped;) {
        epoll_event ready[4];
        const int count = epoll_wait(set, ready, 4, -1);
        for (int i = 0; i < count; ++i) {
            if (ready[i].data.fd == stop) stopped = true;
            else answer(accept(listener, nullptr, nullptr));
        }
    }
    close(set);
}

int main() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0), stop = eventfd(0, 0);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    auto* address = reinterpret_cast<sockaddr*>(&here);
    assert(bind(listener, address, size) == 0 && listen(listener, 4) == 0);
    assert(getsockname(listener, address, &size) == 0);
    std::thread server(serve, listener, stop);
    const auto ask = [&] {
        const int line = socket(AF_INET, SOCK_STREAM, 0);
        char text[16];
        assert(connect(line, address, size) == 0 && send(line, "hello", 5, 0) == 5);
        assert(recv(line, text, sizeof text, 0) == 5 && std::memcmp(text, "hello", 5) == 0);
        close(line);
    };
    std::thread one(ask), two(ask);
    one.join();
    two.join();
    assert(eventfd_write(stop, 1) == 0);
    server.join();
    assert(answered == 2);
}
