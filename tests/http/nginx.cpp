#include "nginx.hpp"

#include <heddle/event.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <utility>
#include <vector>

namespace heddle::test {

namespace {

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<in_port_t>(port));
    return address;
}

/// A port that nobody listens on, at the moment.
int free_port() {
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int port = 0;
    if (bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
        getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
        port = ntohs(address.sin_port);
    }
    close(probe);
    return port;
}

bool listens(int port) {
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    const bool yes =
        connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(probe);
    return yes;
}

/// Starts `arguments`, quietly; −1 if there is no such program.
pid_t start(std::vector<std::string> arguments, const std::string& log) {
    std::vector<char*> pointers;
    for (std::string& each : arguments) pointers.push_back(each.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t made = -1;
    if (posix_spawnp(&made, pointers[0], &actions, nullptr, pointers.data(), environ) != 0)
        made = -1;
    posix_spawn_file_actions_destroy(&actions);
    return made;
}

} // namespace

bool nginx::certify(const std::string& log) const {
    const std::string key = folder_ + "/key.pem";
    const auto run = [&](std::vector<std::string> arguments) {
        int status = 1;
        const pid_t made = start(std::move(arguments), log);
        return made > 0 && waitpid(made, &status, 0) == made && status == 0;
    };
    return run({"openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=heddle test",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-keyout",
                key,
                "-out",
                certificate()}) &&
           run({"openssl",
                "x509",
                "-in",
                certificate(),
                "-signkey",
                key,
                "-days",
                "-1",
                "-out",
                expired_certificate()});
}

void nginx::configure() const {
    std::ofstream body(folder_ + "/index.html");
    body << std::string(1024, 'x');
    std::ofstream out(folder_ + "/nginx.conf");
    out << "daemon off; worker_processes 1; pid " << folder_ << "/pid; error_log " << folder_
        << "/error.log;\n"
        << (getuid() == 0 ? "user root;\n" : "") << "events { worker_connections 512; }\nhttp {\n"
        << "access_log off; ssl_certificate " << certificate() << "; ssl_certificate_key "
        << folder_ << "/key.pem;\n";
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
        out << kind << "_temp_path " << folder_ << "/" << kind << ";\n";
    }
    out << "server { listen 127.0.0.1:" << port1_ << " ssl; root " << folder_
        << "; location /down { return 302 http://127.0.0.1/; } }\n"
        << "server { listen 127.0.0.1:" << port2_ << " ssl http2; root " << folder_
        << "; location /count { client_max_body_size 0; proxy_pass http://127.0.0.1:"
        << counting_port_ << "; } }\n"
        << "server { listen 127.0.0.1:" << counting_port_
        << "; location / { client_max_body_size 0; return 200 $http_content_length; } }\n"
        << "server { listen 127.0.0.1:" << expired_port_ << " ssl; ssl_certificate "
        << expired_certificate() << "; root " << folder_ << "; }\n}\n";
}

nginx::nginx()
    : port1_(free_port()), port2_(free_port()), expired_port_(free_port()),
      counting_port_(free_port()) {
    char name[] = "/tmp/heddle_nginx_XXXXXX";
    folder_ = mkdtemp(name);
    const std::string log = folder_ + "/log";
    if (!certify(log)) {
        problem_ = "no certificate: openssl is missing or too old (Debian: openssl)";
        return;
    }
    configure();
    process_ = start({"nginx", "-p", folder_, "-c", folder_ + "/nginx.conf"}, log);
    event never;
    int status = 1;
    for (int tries = 0; process_ > 0 && tries < 500; ++tries) {
        if (listens(port1_) && listens(port2_) && listens(expired_port_)) return;
        if (waitpid(process_, &status, WNOHANG) == process_) process_ = -1;
        never.wait_for(std::chrono::milliseconds(10));
    }
    problem_ = "nginx is missing or does not start (Debian: nginx-light)";
}

nginx::~nginx() {
    if (process_ > 0) {
        kill(process_, SIGTERM);
        waitpid(process_, nullptr, 0);
    }
    const pid_t removes = start({"rm", "-rf", folder_}, "/dev/null");
    if (removes > 0) waitpid(removes, nullptr, 0);
}

} // namespace heddle::test
