/// Large bodies, in both directions.
#include "fault_server.hpp"

#include <heddle/event.hpp>
#include <heddle/http.hpp>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <latch>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace http = heddle::http;
using heddle::test::connection;
using heddle::test::fault_server;

namespace {

constexpr std::size_t large = 20 << 20;

/// Bytes that tell where they stand.
std::string pattern(std::size_t size) {
    std::string made(size, '\0');
    for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>((i * 7 + i / 251) & 0xff);
    return made;
}

class folder {
public:
    folder() {
        char name[] = "/tmp/heddle_http_XXXXXX";
        path_ = mkdtemp(name);
    }
    ~folder() {
        unlink(file().c_str());
        rmdir(path_.c_str());
    }
    std::string file() const { return path_ + "/body"; }
    bool is_empty() const { return access(file().c_str(), F_OK) != 0 && part_is_gone(); }
    bool part_is_gone() const { return access((file() + ".part").c_str(), F_OK) != 0; }

private:
    std::string path_;
};

std::string content(const std::string& name) {
    std::ostringstream all;
    all << std::ifstream(name, std::ios::binary).rdbuf();
    return std::move(all).str();
}

TEST(HttpStream, DeliversABodyInOrderOnOneThreadOfItsOwn) {
    const std::string body = pattern(large);
    fault_server server(
        fault_server::for_each_request([&](connection& c, const auto&) { c.answer(body); }));
    http::session s({.max_body_bytes = 1000});
    std::string got;
    std::thread::id on;
    const http::response page = s.request({.url = server.url(),
                                           .on_body =
                                               [&](std::string_view piece) {
                                                   got += piece;
                                                   on = std::this_thread::get_id();
                                               }})
                                    .result();
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.body, "");
    EXPECT_TRUE(got == body);
    EXPECT_NE(on, std::this_thread::get_id());
}

TEST(HttpStream, ASlowCallbackMakesTheServerWaitAndNobodyElse) {
    constexpr std::size_t whole = 200 << 20;
    std::atomic<std::size_t> sent = 0;
    fault_server server(fault_server::for_each_request([&](connection& c, const auto& a) {
        if (a.path() == "/small") return void(c.answer("small"));
        const std::string piece(1 << 20, 'x');
        c.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(whole) + "\r\n\r\n");
        for (sent = 0; sent < whole && c.send(piece); sent += piece.size()) {
        }
    }));
    http::session s;
    heddle::event first, go_on;
    std::size_t got = 0;
    const auto f = s.request({.url = server.url("/large"), .on_body = [&](std::string_view piece) {
                                  first.set();
                                  go_on.wait();
                                  got += piece.size();
                              }});
    first.wait();
    for (int i = 0; i < 50; ++i) EXPECT_EQ(s.get(server.url("/small")).result().body, "small");
    EXPECT_LT(sent, whole / 2); // what is in flight fits into buffers
    go_on.set();
    f.wait();
    EXPECT_EQ(f.result().status, 200);
    EXPECT_EQ(got, whole);
}

TEST(HttpStream, WhatTheCallbackThrowsEndsTheTransfer) {
    heddle::event closed;
    fault_server server([&](connection& c) {
        if (!c.read()) return;
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\nfirst");
        c.wait_for_close();
        closed.set();
    });
    http::session s;
    const auto f = s.request({.url = server.url(), .on_body = [](std::string_view) {
                                  throw std::domain_error("enough");
                              }});
    EXPECT_THROW((void)f.result(), std::domain_error);
    closed.wait();
}

TEST(HttpStream, TheBodyOfAnErrorIsInTheResponse) {
    fault_server server(fault_server::for_each_request([](connection& c, const auto&) {
        c.send("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone");
    }));
    http::session s;
    const folder to;
    const auto page = s.request({.url = server.url(), .save_as = to.file()}).result();
    EXPECT_EQ(page.body, "gone");
    EXPECT_TRUE(to.is_empty());
}

TEST(HttpStream, AFileAppearsWhenItIsWhole) {
    const std::string body = pattern(large);
    fault_server server(fault_server::for_each_request([&](connection& c, const auto& a) {
        if (a.path() == "/large") c.answer(body);
        else if (a.path() == "/empty") c.answer("");
        else {
            c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
            c.close_now();
        }
    }));
    http::session s;
    const auto save = [&](const char* path, const std::string& to) {
        return s.request({.url = server.url(path), .save_as = to});
    };
    const folder whole, empty, cut;
    EXPECT_EQ(save("/large", whole.file()).result().status, 200);
    EXPECT_TRUE(content(whole.file()) == body);
    EXPECT_TRUE(whole.part_is_gone());
    EXPECT_EQ(save("/empty", empty.file()).result().status, 200);
    EXPECT_EQ(access(empty.file().c_str(), F_OK), 0);
    EXPECT_THROW((void)save("/cut", cut.file()).result(), http::protocol_error);
    EXPECT_TRUE(cut.is_empty());
    EXPECT_THROW((void)save("/large", "/no/such/folder/x").result(), std::system_error);
}

TEST(HttpStream, ACancelledDownloadLeavesNothing) {
    heddle::event closed;
    fault_server server([&](connection& c) {
        if (!c.read()) return;
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + std::string(100'000, 'x'));
        c.wait_for_close();
        closed.set();
    });
    const folder to;
    heddle::event some;
    {
        http::session s;
        const auto f = s.request({.url = server.url(),
                                  .save_as = to.file(),
                                  .progress = [&](const heddle::progress_state&) { some.set(); }});
        some.wait();
        EXPECT_TRUE(f.cancel());
        closed.wait();
        try {
            (void)f.result();
            ADD_FAILURE() << "it was cancelled";
        } catch (const heddle::cancelled_error& e) {
            EXPECT_STREQ(e.what(), "the task was cancelled before it was done"); // it had begun
        }
    }
    EXPECT_TRUE(to.is_empty());
}

TEST(HttpStream, UploadsWhatASourceProduces) {
    const std::string body = pattern(large);
    fault_server server(fault_server::for_each_request([&](connection& c, const auto& a) {
        c.answer(a.method() + (a.body == body ? " same" : " other"));
    }));
    http::session s;
    std::size_t at = 0;
    const auto source = [&]() {
        const std::size_t from = at;
        at = std::min(at + 100'000, body.size());
        return body.substr(from, at - from);
    };
    EXPECT_EQ(
        s.request({.method = "PUT", .url = server.url(), .body_source = source}).result().body,
        "PUT same");
    const auto fails = []() -> std::string { throw std::domain_error("no more"); };
    EXPECT_THROW(
        (void)s.request({.method = "PUT", .url = server.url(), .body_source = fails}).result(),
        std::domain_error);
}

TEST(HttpStream, ProgressCountsUpToTheLength) {
    fault_server server(fault_server::for_each_request(
        [](connection& c, const auto&) { c.answer(pattern(1 << 20)); }));
    http::session s;
    std::vector<std::size_t> done;
    const auto f =
        s.request({.url = server.url(), .progress = [&](const heddle::progress_state& p) {
                       EXPECT_EQ(p.total, std::size_t{1} << 20);
                       done.push_back(p.done);
                   }});
    f.wait();
    EXPECT_EQ(f.result().body.size(), std::size_t{1} << 20);
    EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
    EXPECT_EQ(done.back(), std::size_t{1} << 20);
}

TEST(HttpStream, ASessionEndsWithStreamsUnderWay) {
    std::latch asked(4);
    fault_server server([&](connection& c) {
        if (!c.read()) return;
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + std::string(100'000, 'x'));
        asked.count_down();
        c.wait_for_close();
    });
    std::vector<heddle::future<http::response>> all;
    {
        http::session s;
        for (int i = 0; i < 4; ++i) {
            all.push_back(s.request({.url = server.url(), .on_body = [](std::string_view) {}}));
        }
        asked.wait();
    }
    for (const auto& f : all) EXPECT_THROW((void)f.result(), http::session_closed_error);
}

} // namespace
