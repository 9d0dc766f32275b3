// A session, its threads and its courier: no answer is lost, and a session that goes tells those
// who still wait. libcurl is between them, uninstrumented; the server is a thread of this program.
#include "heddle/http.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cassert>
#include <chrono>
#include <string>
#include <thread>

namespace http = heddle::http;

namespace {

struct listener {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    unsigned port = 0;

    listener() {
        sockaddr_in here{};
        here.sin_family = AF_INET;
        here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof here;
        auto* address = reinterpret_cast<sockaddr*>(&here);
        assert(bind(fd, address, size) == 0 && listen(fd, 8) == 0);
        assert(getsockname(fd, address, &size) == 0);
        port = ntohs(here.sin_port);
    }
};

void answer_one(int fd) {
    const int client = accept(fd, nullptr, nullptr);
    std::string request;
    char part[512];
    while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t n = recv(client, part, sizeof part, 0);
        assert(n > 0);
        request.append(part, static_cast<std::size_t>(n));
    }
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                               "Connection: close\r\n\r\nok";
    assert(send(client, answer.data(), answer.size(), 0) == static_cast<ssize_t>(answer.size()));
    close(client);
}

} // namespace

int main() {
    using clock = std::chrono::steady_clock; // virtual here: it jumps when nobody can run
    const auto start = clock::now();
    const listener here;
    const std::string url = "http://127.0.0.1:" + std::to_string(here.port) + "/";
    std::thread server([&] {
        answer_one(here.fd);
        answer_one(here.fd);
    });
    heddle::future<http::response> unanswered;
    {
        http::session session;
        const auto ask = [&] { assert(session.get(url).result().text() == "ok"); };
        std::thread other(ask);
        ask();
        other.join();
        unanswered = session.get(url); // nobody accepts it any more
    }
    try {
        unanswered.result();
        assert(false);
    } catch (const http::session_closed_error&) {
    }
    server.join();
    // A thread that overslept a letter would sleep for a minute.
    assert(clock::now() - start < std::chrono::seconds(30));
}
