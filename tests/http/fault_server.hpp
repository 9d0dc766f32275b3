/// A server on loopback that does to its clients whatever a test wants.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace heddle::test {

/// One accepted connection, on its own thread.
class connection {
public:
    explicit connection(int descriptor) : descriptor_(descriptor) {}
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    /// A request as it came, or nothing if the client has gone.
    struct asked {
        std::string head; ///< request line and fields, without the blank line
        std::string body; ///< by Content-Length, or the chunks joined
        std::string method() const { return head.substr(0, head.find(' ')); }
        std::string path() const;
        std::string field(std::string_view name) const; ///< "" if it is not there
    };
    std::optional<asked> read();
    /// Reads the head only, and leaves the body in the socket.
    std::optional<asked> read_head();
    /// Reads so much of a body and forgets it. False if the client has gone.
    bool skip(std::size_t bytes);
    /// False if the client has gone.
    bool send(std::string_view bytes);
    /// A whole answer of status 200.
    bool answer(std::string_view body, std::string_view fields = "");
    /// Waits until the client closes, or the server ends.
    void wait_for_close();
    /// Ends the connection so that the client sees a reset.
    void reset();
    /// Waits until the client has let go of it, as wait_for_close, for tests of keep-alive.
    void close_now();

private:
    friend class fault_server;
    bool fill();
    int descriptor_;
    std::string buffer_;
};

/// Thread safety: counters from any thread. Lifetime: its end cuts all connections.
class fault_server {
public:
    using handler = std::function<void(connection&)>;

    /// Calls `serve` with each connection, which is closed when it returns.
    explicit fault_server(handler serve);
    /// Calls `serve(connection, request)` for each request of each connection.
    static handler for_each_request(std::function<void(connection&, const connection::asked&)> f);
    ~fault_server();

    int port() const { return port_; }
    std::string url(std::string_view path = "/") const;
    int connections() const { return connections_.load(); }
    int most_at_once() const { return most_.load(); }

private:
    struct client {
        explicit client(int descriptor) : link(descriptor) {}
        connection link;
        std::thread thread;
    };
    void accept_all();
    void run(client& c);

    handler serve_;
    int listener_ = -1;
    int port_ = 0;
    std::atomic<int> connections_{0}, now_{0}, most_{0};
    std::mutex mutex_;
    std::list<client> clients_;
    bool ending_ = false;
    std::thread acceptor_;
};

} // namespace heddle::test
