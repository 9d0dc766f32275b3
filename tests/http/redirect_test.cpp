/// Where a session follows, and what it does not take along.
#include "fault_server.hpp"

#include <heddle/http.hpp>

#include <gtest/gtest.h>

#include <string>

namespace http = heddle::http;
using heddle::test::connection;
using heddle::test::fault_server;

namespace {

void redirect(connection& c, int status, const std::string& to) {
    c.send("HTTP/1.1 " + std::to_string(status) + " Elsewhere\r\nContent-Length: 6\r\n" +
           (to.empty() ? "" : "Location: " + to + "\r\n") + "\r\nmoved!");
}

/// What the redirect_error of a GET of `url` says.
std::string refused(http::session& s, const std::string& url) {
    try {
        (void)s.get(url).result();
    } catch (const http::redirect_error& e) {
        return e.what();
    }
    return "no redirect_error";
}

testing::AssertionResult says(const std::string& text, const std::string& part) {
    if (text.find(part) != text.npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "\"" << text << "\" does not say \"" << part << "\"";
}

TEST(HttpRedirect, IsFollowedToTheFinalUrl) {
    fault_server server(fault_server::for_each_request([](connection& c, const auto& a) {
        if (a.path() == "/a") redirect(c, 301, "/b?x=1");
        else if (a.path() == "/b?x=1") redirect(c, 302, "c");
        else c.answer(a.path());
    }));
    http::session s;
    const http::response page = s.get(server.url("/a")).result();
    EXPECT_EQ(page.body, "/c");
    EXPECT_EQ(page.url, server.url("/c"));
    EXPECT_EQ(server.connections(), 1);
    http::session stays({.max_redirects = 0});
    const http::response first = stays.get(server.url("/a")).result();
    EXPECT_EQ(first.status, 301);
    EXPECT_EQ(first.headers.get("location"), "/b?x=1");
    EXPECT_EQ(first.body, "moved!");
}

TEST(HttpRedirect, KeepsOrChangesTheMethodAsBrowsersDo) {
    fault_server server(fault_server::for_each_request([](connection& c, const auto& a) {
        const std::string path = a.path();
        if (path != "/end") redirect(c, std::stoi(path.substr(1)), "/end");
        else c.answer(a.method() + " " + a.body + " " + a.field("Content-Type"));
    }));
    http::session s;
    const auto ends = [&](const std::string& method, const std::string& path) {
        return s
            .request({.method = method,
                      .url = server.url(path),
                      .headers = {{"Content-Type", "t"}},
                      .body = "b"})
            .result()
            .body;
    };
    EXPECT_EQ(ends("POST", "/301"), "GET  ");
    EXPECT_EQ(ends("POST", "/302"), "GET  ");
    EXPECT_EQ(ends("POST", "/303"), "GET  ");
    EXPECT_EQ(ends("PUT", "/303"), "GET  ");
    EXPECT_EQ(ends("PUT", "/301"), "PUT b t");
    EXPECT_EQ(ends("POST", "/307"), "POST b t");
    EXPECT_EQ(ends("POST", "/308"), "POST b t");
}

TEST(HttpRedirect, CircleEndsWithTheWholeChain) {
    fault_server server(fault_server::for_each_request(
        [](connection& c, const auto& a) { redirect(c, 302, a.path() == "/a" ? "/b" : "/a"); }));
    http::session s({.max_redirects = 3});
    const std::string text = refused(s, server.url("/a"));
    EXPECT_TRUE(says(text, server.url("/a") + " -> " + server.url("/b") + " -> "));
    EXPECT_TRUE(says(text, "max_redirects"));
    EXPECT_TRUE(says(text, "more redirects than the 3"));
}

TEST(HttpRedirect, LeadsNowhereButToHttp) {
    for (const char* to : {"file:///etc/passwd",
                           "ftp://example.org/",
                           "gopher://example.org/",
                           "http://user:secret@example.org/",
                           "http://h:0/",
                           "javascript:alert(1)"}) {
        fault_server server(fault_server::for_each_request(
            [&](connection& c, const auto&) { redirect(c, 302, to); }));
        http::session s;
        const std::string text = refused(s, server.url());
        EXPECT_TRUE(says(text, server.url())) << to;
        EXPECT_EQ(text.find("secret"), std::string::npos);
    }
    fault_server lost(
        fault_server::for_each_request([](connection& c, const auto&) { redirect(c, 302, ""); }));
    http::session s;
    EXPECT_TRUE(says(refused(s, lost.url()), "no Location"));
}

TEST(HttpRedirect, TakesNoCredentialsToAnotherHost) {
    const auto tell = fault_server::for_each_request([](connection& c, const auto& a) {
        c.answer(a.field("Authorization") + "|" + a.field("Cookie") + "|" + a.field("X-Other"));
    });
    fault_server other(tell);
    fault_server server(fault_server::for_each_request([&](connection& c, const auto& a) {
        if (a.path() == "/here") return redirect(c, 307, "/end");
        if (a.path() == "/away") {
            // Cookies belong to a host whatever its port, so the other one has another name.
            return redirect(c, 307, "http://localhost:" + std::to_string(other.port()) + "/end");
        }
        c.answer(a.field("Authorization") + "|" + a.field("Cookie") + "|" + a.field("X-Other"),
                 "Set-Cookie: own=1\r\n");
    }));
    http::session s({.headers = {{"Authorization", "session"}}});
    const auto get = [&](const char* path, http::header_list headers) {
        return s.request({.url = server.url(path), .headers = std::move(headers)}).result().body;
    };
    EXPECT_EQ(get("/here", {{"Cookie", "a=b"}, {"X-Other", "x"}}), "session|a=b|x");
    EXPECT_EQ(get("/away", {{"Cookie", "a=b"}, {"X-Other", "x"}}), "||x");
    EXPECT_EQ(get("/away", {{"authorization", "own"}}), "||");
}

} // namespace
