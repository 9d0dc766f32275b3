/// Requests by way of a proxy.
#include "fault_server.hpp"

#include <heddle/http.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace http = heddle::http;
using heddle::test::connection;
using heddle::test::fault_server;

namespace {

std::string connect_failure(http::session& s, const std::string& url) {
    try {
        (void)s.get(url).result();
    } catch (const http::connect_error& e) {
        return e.what();
    }
    return "no connect_error";
}

TEST(HttpProxy, GetsTheWholeUrl) {
    fault_server proxy(fault_server::for_each_request([](connection& c, const auto& a) {
        c.answer(a.head.substr(0, a.head.find('\r')) + "|" + a.field("Host"));
    }));
    http::session s({.proxy = "http://127.0.0.1:" + std::to_string(proxy.port())});
    const http::response page = s.get("http://nowhere.invalid/page?x=1").result();
    EXPECT_EQ(page.body, "GET http://nowhere.invalid/page?x=1 HTTP/1.1|nowhere.invalid");
    EXPECT_EQ(page.url, "http://nowhere.invalid/page?x=1");
}

/// A variable of the environment, while it lives. No session may be made or used meanwhile by
/// another thread.
class variable {
public:
    variable(const char* name, const std::string& value) : name_(name) {
        setenv(name, value.c_str(), 1);
    }
    ~variable() { unsetenv(name_); }
    variable(const variable&) = delete;
    variable& operator=(const variable&) = delete;

private:
    const char* name_;
};

TEST(HttpProxy, IsTheOneOfTheEnvironmentUnlessToldOtherwise) {
    const auto says = [](const char* what) {
        return fault_server::for_each_request(
            [what](connection& c, const auto&) { c.answer(what); });
    };
    fault_server proxy(says("proxy")), server(says("server"));
    const auto asked = [&](http::session& s) { return s.get(server.url()).result().body; };
    const std::string url = "http://127.0.0.1:" + std::to_string(proxy.port());
    http::session before;
    EXPECT_EQ(asked(before), "server");
    const variable set("all_proxy", url);
    http::session by_environment, without({.proxy = ""});
    EXPECT_EQ(asked(by_environment), "proxy");
    EXPECT_EQ(asked(without), "server");
    EXPECT_EQ(asked(before), "server");
    const variable except("no_proxy", "127.0.0.1");
    http::session excepted;
    EXPECT_EQ(asked(excepted), "server");
}

TEST(HttpProxy, ThatRefusesATunnelIsAConnectError) {
    fault_server proxy(fault_server::for_each_request([](connection& c, const auto& a) {
        EXPECT_EQ(a.method(), "CONNECT");
        EXPECT_EQ(a.field("User-Agent").substr(0, 7), "heddle/");
        c.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    }));
    http::session s({.proxy = "http://127.0.0.1:" + std::to_string(proxy.port())});
    const std::string text = connect_failure(s, "https://nowhere.invalid/");
    EXPECT_NE(text.find("https://nowhere.invalid/"), std::string::npos) << text;
    EXPECT_NE(text.find("403"), std::string::npos) << text;
}

TEST(HttpProxy, ThatIsNotThereIsNamed) {
    int port = 0;
    {
        fault_server gone([](connection&) {});
        port = gone.port();
    }
    http::session s({.proxy = "http://127.0.0.1:" + std::to_string(port)});
    const std::string text = connect_failure(s, "http://nowhere.invalid/");
    EXPECT_NE(text.find(std::to_string(port)), std::string::npos) << text;
}

} // namespace
