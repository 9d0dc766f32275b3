// A web site on loopback with pages that are slow, broken or missing, so that the lessons about
// downloads need no network.
#pragma once

#include <chrono>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace web {

/// What the site answers to a path.
struct page {
    std::string path;
    std::chrono::milliseconds delay;
    int status = 200;
    std::string body = {};
};

/// Serves `pages`, and 404 for what is not among them; a page of status 0 hangs up instead.
///
/// Thread safety: members may be called from any thread. Lifetime: its end cuts all connections.
class site {
public:
    explicit site(std::vector<page> pages);
    ~site();
    site(const site&) = delete;
    site& operator=(const site&) = delete;

    /// "http://127.0.0.1:PORT" and the path.
    std::string url(std::string_view path) const;
    /// The URLs of all pages, in their order.
    std::vector<std::string> urls() const;

private:
    struct client {
        int socket;
        std::thread thread;
    };
    void accept_all();
    void serve(int socket) const;
    void answer(int socket, std::string_view path) const;

    std::vector<page> pages_;
    int listener_ = -1;
    int port_ = 0;
    std::mutex mutex_; // guards what follows
    std::list<client> clients_;
    bool ending_ = false;
    std::thread acceptor_;
};

/// The site of the lessons: five pages that come in the order news, home, blog, shop; /old is a
/// 404, and comes second. Their texts have different lengths.
std::vector<page> lesson_pages();

} // namespace web
