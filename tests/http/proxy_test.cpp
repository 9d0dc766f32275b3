/// Requests by way of a proxy.
#include "fault_server.hpp"

#include <heddle/http.hpp>

#include <gtest/gtest.h>

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
