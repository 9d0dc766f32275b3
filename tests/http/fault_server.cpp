#include "fault_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace heddle::test {

connection::~connection() {
    if (descriptor_ >= 0) close(descriptor_);
}

std::string connection::asked::path() const {
    const std::size_t first = head.find(' ') + 1;
    return head.substr(first, head.find(' ', first) - first);
}

std::string connection::asked::field(std::string_view name) const {
    for (std::size_t at = head.find("\r\n"); at != head.npos; at = head.find("\r\n", at + 2)) {
        const std::string_view rest = std::string_view(head).substr(at + 2);
        if (rest.size() <= name.size() || rest[name.size()] != ':') continue;
        if (strncasecmp(rest.data(), name.data(), name.size()) != 0) continue;
        const std::string_view value =
            rest.substr(name.size() + 1, rest.find("\r\n") - name.size() - 1);
        return std::string(value.substr(value.find_first_not_of(' ')));
    }
    return "";
}

bool connection::fill() {
    char bytes[16 * 1024];
    const ssize_t got = recv(descriptor_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(got));
    return true;
}

std::optional<connection::asked> connection::read_head() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == buffer_.npos) {
        if (!fill()) return std::nullopt;
    }
    asked made;
    made.head = buffer_.substr(0, end);
    buffer_.erase(0, end + 4);
    return made;
}

std::optional<connection::asked> connection::read() {
    std::optional<asked> made = read_head();
    if (!made) return made;
    if (made->field("Transfer-Encoding") == "chunked") {
        for (;;) {
            std::size_t end = 0;
            while ((end = buffer_.find("\r\n")) == buffer_.npos) {
                if (!fill()) return std::nullopt;
            }
            const std::size_t length = std::strtoul(buffer_.c_str(), nullptr, 16);
            while (buffer_.size() < end + 2 + length + 2) {
                if (!fill()) return std::nullopt;
            }
            made->body += buffer_.substr(end + 2, length);
            buffer_.erase(0, end + 2 + length + 2);
            if (length == 0) return made;
        }
    }
    const std::size_t length = std::strtoul(made->field("Content-Length").c_str(), nullptr, 10);
    while (buffer_.size() < length) {
        if (!fill()) return std::nullopt;
    }
    made->body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return made;
}

bool connection::skip(std::size_t bytes) {
    while (buffer_.size() < bytes) {
        bytes -= buffer_.size();
        buffer_.clear();
        if (!fill()) return false;
    }
    buffer_.erase(0, bytes);
    return true;
}

bool connection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

bool connection::answer(std::string_view body, std::string_view fields) {
    std::string all = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    all.append(fields).append("\r\n").append(body);
    return send(all);
}

void connection::wait_for_close() {
    while (fill()) buffer_.clear();
}

void connection::reset() {
    const linger at_once{1, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close_now();
}

void connection::close_now() {
    close(descriptor_);
    descriptor_ = -1;
}

fault_server::handler
fault_server::for_each_request(std::function<void(connection&, const connection::asked&)> f) {
    return [f = std::move(f)](connection& c) {
        while (const auto asked = c.read()) f(c, *asked);
    };
}

fault_server::fault_server(handler serve) : serve_(std::move(serve)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener_, 512) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw std::runtime_error("the test server cannot listen on loopback");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
}

fault_server::~fault_server() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        for (client& c : clients_) {
            if (c.link.descriptor_ >= 0) shutdown(c.link.descriptor_, SHUT_RDWR);
        }
    }
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (client& c : clients_) c.thread.join();
    close(listener_);
}

std::string fault_server::url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
}

void fault_server::accept_all() {
    for (;;) {
        const int accepted = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted < 0) return;
        const int on = 1;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const std::lock_guard lock(mutex_);
        if (ending_) {
            close(accepted);
            return;
        }
        client& c = clients_.emplace_back(accepted);
        c.thread = std::thread([this, &c] { run(c); });
    }
}

void fault_server::run(client& c) {
    ++connections_;
    const int now = ++now_;
    for (int most = most_; now > most && !most_.compare_exchange_weak(most, now);) {
    }
    serve_(c.link);
    --now_;
    const std::lock_guard lock(mutex_);
    if (c.link.descriptor_ >= 0) c.link.close_now();
}

} // namespace heddle::test
