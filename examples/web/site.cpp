#include "site.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

using namespace std::chrono_literals;

namespace web {

site::site(std::vector<page> pages) : pages_(std::move(pages)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener_, 128) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw std::runtime_error("cannot listen on 127.0.0.1");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
}

site::~site() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        for (const client& c : clients_) shutdown(c.socket, SHUT_RDWR);
    }
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (client& c : clients_) {
        c.thread.join();
        close(c.socket);
    }
    close(listener_);
}

std::string site::url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
}

std::vector<std::string> site::urls() const {
    std::vector<std::string> all;
    for (const page& each : pages_) all.push_back(url(each.path));
    return all;
}

void site::accept_all() {
    for (;;) {
        const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0) return;
        const std::lock_guard lock(mutex_);
        if (ending_) {
            close(socket);
            return;
        }
        client& c = clients_.emplace_back();
        c.socket = socket;
        c.thread = std::thread([this, socket] { serve(socket); });
    }
}

/// Answers one request after the other, until the client closes or the site ends.
void site::serve(int socket) const {
    std::string read;
    for (;;) {
        std::size_t end = 0;
        while ((end = read.find("\r\n\r\n")) == read.npos) {
            char bytes[4096];
            const ssize_t got = recv(socket, bytes, sizeof bytes, 0);
            if (got <= 0) return;
            read.append(bytes, static_cast<std::size_t>(got));
        }
        const std::size_t path = read.find(' ') + 1; // "GET /path HTTP/1.1"
        answer(socket, std::string_view(read).substr(path, read.find(' ', path) - path));
        read.erase(0, end + 4);
    }
}

void site::answer(int socket, std::string_view path) const {
    const auto found = std::ranges::find(pages_, path, &page::path);
    const page missing{std::string(path), 0ms, 404, "not found"};
    const page& what = found == pages_.end() ? missing : *found;
    std::this_thread::sleep_for(what.delay);
    if (what.status == 0) {
        shutdown(socket, SHUT_RDWR);
        return;
    }
    const std::string all = "HTTP/1.1 " + std::to_string(what.status) +
                            " See RFC 9110\r\nContent-Type: text/plain; charset=utf-8\r\n"
                            "Content-Length: " +
                            std::to_string(what.body.size()) + "\r\n\r\n" + what.body;
    send(socket, all.data(), all.size(), MSG_NOSIGNAL); // pages are small: one call takes all
}

std::vector<page> lesson_pages() {
    const auto text = [](std::string_view word, int times) {
        std::string made;
        for (int i = 0; i < times; ++i) made.append(word).append(i % 10 == 9 ? "\n" : " ");
        return made;
    };
    return {{"/home", 160ms, 200, text("welcome", 120)},
            {"/news", 80ms, 200, text("today", 300)},
            {"/shop", 400ms, 200, text("buy", 50)},
            {"/old", 120ms, 404, "gone"},
            {"/blog", 240ms, 200, text("thought", 900)}};
}

} // namespace web
