/// TLS and HTTP/2, against nginx.
#include "fault_server.hpp"
#include "nginx.hpp"

#include <heddle/http.hpp>
#include <heddle/wait.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace http = heddle::http;
using heddle::future;

namespace {

class HttpTls : public testing::Test {
protected:
    void SetUp() override {
        if (!server_.problem().empty()) GTEST_SKIP() << server_.problem();
    }
    http::session_options trusting() const { return {.ca_file = server_.certificate()}; }

    heddle::test::nginx server_;
};

std::string tls_failure(http::session& s, const std::string& url) {
    try {
        (void)s.get(url).result();
    } catch (const http::tls_error& e) {
        return e.what();
    }
    return "no tls_error";
}

TEST_F(HttpTls, RefusesACertificateThatNobodyVouchesForOrOfAnotherName) {
    http::session strict, trusts(trusting());
    EXPECT_NE(tls_failure(strict, server_.url1()).find(server_.url1()), std::string::npos);
    EXPECT_NE(tls_failure(strict, server_.url1()).find("ca_file"), std::string::npos);
    EXPECT_EQ(trusts.get(server_.url1()).result().status, 200);
    EXPECT_NE(tls_failure(trusts, server_.url1("localhost")).find("localhost"), std::string::npos);
    http::session lax({.verify_tls = false});
    EXPECT_EQ(lax.get(server_.url1("localhost")).result().status, 200);
}

TEST_F(HttpTls, RefusesACertificateThatHasExpired) {
    http::session trusts({.ca_file = server_.expired_certificate()});
    const std::string text = tls_failure(trusts, server_.expired_url());
    EXPECT_NE(text.find("expired"), std::string::npos) << text;
    http::session lax({.verify_tls = false});
    EXPECT_EQ(lax.get(server_.expired_url()).result().status, 200);
}

TEST_F(HttpTls, UploadsWhatASourceProducesOverHttp2) {
    http::session s(trusting());
    int parts = 100;
    const auto source = [&] { return std::string(parts-- > 0 ? 65'537 : 0, 'x'); };
    const http::response page =
        s.request({.method = "POST", .url = server_.url2() + "count", .body_source = source})
            .result();
    EXPECT_EQ(page.protocol, "HTTP/2");
    EXPECT_EQ(page.body, "6553700");
}

TEST_F(HttpTls, AServerThatSpeaksNoTlsIsATlsError) {
    heddle::test::fault_server plain([](heddle::test::connection& c) {
        c.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    http::session s;
    const std::string url = "https://127.0.0.1:" + std::to_string(plain.port()) + "/";
    EXPECT_NE(tls_failure(s, url).find(url), std::string::npos);
}

TEST_F(HttpTls, ARedirectMayLeadToTlsAndNotBack) {
    http::session s(trusting());
    try {
        (void)s.get(server_.url1() + "down").result();
        FAIL() << "it was followed";
    } catch (const http::redirect_error& e) {
        EXPECT_NE(std::string(e.what()).find("from https to http"), std::string::npos) << e.what();
    }
    heddle::test::fault_server plain(
        heddle::test::fault_server::for_each_request([&](heddle::test::connection& c, const auto&) {
            c.send("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + server_.url1() +
                   "\r\n\r\n");
        }));
    const http::response page = s.get(plain.url()).result();
    EXPECT_EQ(page.url, server_.url1());
}

/// 40 requests at once by a fresh session; true if all came.
bool burst(const http::session_options& options, const std::string& url, const char* protocol) {
    http::session s(options);
    std::vector<future<http::response>> all;
    for (int i = 0; i < 40; ++i) all.push_back(s.request({.url = url, .timeout = 20s}));
    int good = 0;
    for (const http::response& page : heddle::results(all)) {
        good += page.status == 200 && page.body.size() == 1024 && page.protocol == protocol;
    }
    return good == 40;
}

TEST_F(HttpTls, ManyRunsOverHttp1AndHttp2DoNotStall) {
    for (int run = 0; run < 36; run += 2) {
        ASSERT_TRUE(burst(trusting(), server_.url1(), "HTTP/1.1")) << run;
        ASSERT_TRUE(burst(trusting(), server_.url2(), "HTTP/2")) << run + 1;
    }
}

TEST_F(HttpTls, CancellingOneStreamLeavesTheOthers) {
    http::session s(trusting());
    for (int round = 0; round < 20; ++round) {
        std::vector<future<http::response>> all;
        for (int i = 0; i < 16; ++i) all.push_back(s.get(server_.url2()));
        for (std::size_t i = 0; i < 16; i += 3) all[i].cancel();
        for (std::size_t i = 0; i < 16; ++i) {
            if (i % 3 != 0) {
                EXPECT_EQ(all[i].result().protocol, "HTTP/2");
            }
        }
    }
}

} // namespace
