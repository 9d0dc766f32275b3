/// nginx on loopback with a certificate of its own, for tests that need a real server.
#pragma once

#include <sys/types.h>

#include <string>

namespace heddle::test {

/// Starts one in a temporary folder; `problem()` says why there is none.
///
/// Thread safety: none. Lifetime: the server and the folder go with the object.
class nginx {
public:
    nginx();
    ~nginx();
    nginx(const nginx&) = delete;
    nginx& operator=(const nginx&) = delete;

    /// What is missing, or empty.
    const std::string& problem() const { return problem_; }
    /// "https://HOST:PORT/": HTTP/1.1 only, and with HTTP/2, where /count answers with the number
    /// of bytes that it was sent. The certificate is for 127.0.0.1.
    std::string url1(const std::string& host = "127.0.0.1") const { return url(host, port1_); }
    std::string url2(const std::string& host = "127.0.0.1") const { return url(host, port2_); }
    /// The certificate, which signs itself.
    std::string certificate() const { return folder_ + "/cert.pem"; }
    /// A server whose certificate was good until yesterday.
    std::string expired_url() const { return url("127.0.0.1", expired_port_); }
    std::string expired_certificate() const { return folder_ + "/expired.pem"; }

private:
    static std::string url(const std::string& host, int port) {
        return "https://" + host + ":" + std::to_string(port) + "/";
    }
    bool certify(const std::string& log) const;
    void configure() const;

    std::string folder_, problem_;
    int port1_ = 0, port2_ = 0, expired_port_ = 0, counting_port_ = 0;
    pid_t process_ = -1;
};

} // namespace heddle::test
