// A server in one thread: `echo_server [PORT]` sends back what it gets, until Ctrl-C.
//
// What to notice: sockets and signals are Asio's, and `aio::use_task` makes each of their
// operations one that a task awaits. The group owns the connections, so none is forgotten. Ctrl-C
// closes the acceptor, which ends the loop of accepts; connections that are open have two more
// seconds.
#include <heddle/aio.hpp>
#include <heddle/aio_asio.hpp>
#include <heddle/print.hpp>

#include <array>
#include <asio.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <system_error>

using namespace std::chrono_literals;
namespace aio = heddle::aio;
using asio::ip::tcp;

aio::task<> echo(tcp::socket socket) {
    std::array<char, 4096> buffer;
    try {
        for (;;) {
            const std::size_t count =
                co_await socket.async_read_some(asio::buffer(buffer), aio::use_task);
            co_await asio::async_write(socket, asio::buffer(buffer, count), aio::use_task);
        }
    } catch (const std::system_error& e) {
        // One client's trouble must not end the others; to hang up is how a client ends.
        if (e.code() != asio::error::eof) heddle::print("a connection broke:", e.what());
    }
}

aio::task<> serve(tcp::acceptor& acceptor) {
    co_await aio::with_task_group([&acceptor](aio::task_group& connections) -> aio::task<> {
        try {
            for (;;) {
                tcp::socket next = co_await acceptor.async_accept(aio::use_task);
                connections.spawn(echo(std::move(next)));
            }
        } catch (const std::system_error&) {
            if (acceptor.is_open()) throw; // else it was closed, to stop
        }
    });
}

aio::task<> main_task(unsigned short port) {
    tcp::acceptor acceptor(aio::io_context(), {asio::ip::address_v4::loopback(), port});
    heddle::print("listening on port", acceptor.local_endpoint().port());
    const aio::handle<void> serving = aio::spawn(serve(acceptor));

    asio::signal_set stop(aio::io_context(), SIGINT, SIGTERM);
    co_await stop.async_wait(aio::use_task);
    acceptor.close();
    try {
        co_await aio::timeout(2s, serving);
        heddle::print("all clients have gone");
    } catch (const heddle::timeout_error&) {
        heddle::print("closing the connections that are left"); // aio::run cancels them
    }
}

int main(int argc, char** argv) {
    aio::run(main_task(static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 0)));
}
