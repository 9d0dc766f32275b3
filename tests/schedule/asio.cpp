// Asio's sockets inside a task, against a thread with a socket of its own: no readiness is lost
// between epoll, the loop's mailbox and what other threads post.
#include "heddle/aio.hpp"
#include "heddle/aio_asio.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <asio.hpp>
#include <cassert>
#include <string_view>
#include <thread>

namespace aio = heddle::aio;

int main() {
    int ends[2];
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    std::thread peer([&] {
        char byte = 0;
        while (recv(ends[1], &byte, 1, 0) == 1) assert(send(ends[1], &byte, 1, 0) == 1);
        close(ends[1]);
    });
    aio::run([](int fd) -> aio::task<> {
        asio::local::stream_protocol::socket socket(
            aio::io_context(), asio::local::stream_protocol(), fd);
        const aio::handle<int> thread = aio::spawn(aio::to_thread([] { return 7; }));
        for (const char letter : std::string_view("ab")) {
            std::array<char, 1> one{letter};
            co_await asio::async_write(socket, asio::buffer(one), aio::use_task);
            one[0] = 0;
            co_await asio::async_read(socket, asio::buffer(one), aio::use_task);
            assert(one[0] == letter);
        }
        assert(co_await thread == 7);
    }(ends[0]));
    peer.join();
}
