/// What a session does with servers that behave.
#include "fault_server.hpp"
#include "support/child.hpp"
#include "support/ledger.hpp"

#include <heddle/aio.hpp>
#include <heddle/http.hpp>
#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using heddle::future;
using heddle::http::response;
using heddle::http::session;
using heddle::test::connection;
using heddle::test::fault_server;

namespace {

/// Answers each request with what it asked.
fault_server::handler echo() {
    return fault_server::for_each_request([](connection& c, const connection::asked& a) {
        c.answer(a.method() + " " + a.path() + " " + a.body);
    });
}

TEST(HttpSession, GetsAPageWithItsStatusHeadersAndUrl) {
    fault_server server(fault_server::for_each_request([](connection& c, const auto& a) {
        EXPECT_EQ(a.field("Host"), "127.0.0.1:" + a.field("Host").substr(10));
        EXPECT_EQ(a.field("User-Agent").substr(0, 7), "heddle/");
        c.answer("hello", "Content-Type: text/plain\r\nX-Twice: 1\r\nX-Twice: 2\r\n");
    }));
    session s;
    const response page = s.get(server.url("/a?b=c")).result();
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.body, "hello");
    EXPECT_EQ(page.text(), "hello");
    EXPECT_EQ(page.url, server.url("/a?b=c"));
    EXPECT_EQ(page.protocol, "HTTP/1.1");
    EXPECT_TRUE(page.ok());
    EXPECT_NO_THROW(page.raise_for_status());
    EXPECT_EQ(page.headers.get("content-TYPE"), "text/plain");
    EXPECT_EQ(page.headers.get("X-None"), std::nullopt);
    int twice = 0;
    for (const auto& [name, value] : page.headers) twice += name == "X-Twice";
    EXPECT_EQ(twice, 2);
}

TEST(HttpSession, SendsMethodHeadersAndBody) {
    fault_server server(fault_server::for_each_request([](connection& c, const auto& a) {
        c.answer(a.method() + "|" + a.field("X-A") + "|" + a.field("X-B") + "|" + a.body + "|" +
                 a.field("Content-Type") + "|" + a.field("X-Empty"));
    }));
    session s({.headers = {{"X-A", "session"}, {"X-B", "session"}}});
    const auto text = [&](heddle::http::request what) {
        what.url = server.url();
        return s.request(std::move(what)).result().body;
    };
    EXPECT_EQ(text({.method = "post", .headers = {{"x-b", "own"}}, .body = "data"}),
              "POST|session|own|data||");
    EXPECT_EQ(text({.method = "PUT", .headers = {{"Content-Type", "text/csv"}}, .body = "1,2"}),
              "PUT|session|session|1,2|text/csv|");
    EXPECT_EQ(text({.method = "DELETE"}), "DELETE|session|session|||");
    EXPECT_EQ(text({.method = "POST"}), "POST|session|session|||");
    EXPECT_EQ(text({.body = "search"}), "GET|session|session|search||");
    EXPECT_EQ(text({}), "GET|session|session|||");
    const std::string nul("a\0b", 3);
    EXPECT_EQ(text({.method = "PATCH", .body = nul}), "PATCH|session|session|" + nul + "||");
}

TEST(HttpSession, ARequestLeavesNothingToTheNextOneOnItsConnection) {
    fault_server server(fault_server::for_each_request([](connection& c, const auto& a) {
        int agents = 0;
        for (std::size_t at = 0; (at = a.head.find("User-Agent:", at)) != a.head.npos; ++at) {
            ++agents;
        }
        const std::string what = a.method() + '|' + a.body + '|' + a.field("X-Own") + '|' +
                                 a.field("User-Agent").substr(0, 7) + '|' + std::to_string(agents);
        c.answer(a.method() == "HEAD" ? "" : what, "X-Asked: " + what + "\r\n");
    }));
    session s({.max_connections_per_host = 1});
    const auto asked = [&](heddle::http::request what) {
        what.url = server.url();
        return s.request(std::move(what)).result().headers.get("X-Asked").value_or("");
    };
    const auto plain = [&] { return s.get(server.url()).result().body; };
    EXPECT_EQ(plain(), "GET|||heddle/|1");
    EXPECT_EQ(asked({.method = "POST", .body = "data"}), "POST|data||heddle/|1");
    EXPECT_EQ(plain(), "GET|||heddle/|1");
    EXPECT_EQ(asked({.headers = {{"X-Own", "1"}, {"User-Agent", "another"}}}), "GET||1|another|1");
    EXPECT_EQ(plain(), "GET|||heddle/|1");
    EXPECT_EQ(asked({.method = "HEAD"}), "HEAD|||heddle/|1");
    EXPECT_EQ(plain(), "GET|||heddle/|1");
    EXPECT_EQ(plain(), "GET|||heddle/|1");
    EXPECT_EQ(server.connections(), 1);
}

TEST(HttpSession, KeepsItsConnections) {
    fault_server server(echo());
    session s;
    for (int i = 0; i < 20; ++i) (void)s.get(server.url()).result();
    EXPECT_EQ(server.connections(), 1);
}

TEST(HttpSession, BoundsTheConnectionsToAHostAndServesAll) {
    std::latch two(2);
    fault_server server(fault_server::for_each_request([&](connection& c, const auto& a) {
        if (two.try_wait()) return void(c.answer(a.path()));
        two.arrive_and_wait(); // both connections are in use at once
        c.answer(a.path());
    }));
    session s({.max_connections_per_host = 2});
    std::vector<future<response>> all;
    for (int i = 0; i < 50; ++i) all.push_back(s.get(server.url("/" + std::to_string(i))));
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(all[static_cast<std::size_t>(i)].result().body, "/" + std::to_string(i));
    }
    EXPECT_EQ(server.most_at_once(), 2);
    EXPECT_EQ(server.connections(), 2);
}

TEST(HttpSession, SixteenThreadsGetTheirOwnAnswers) {
    fault_server server(echo());
    heddle::test::ledger ledger;
    std::optional<session> s(std::in_place);
    std::vector<std::thread> threads;
    for (int t = 0; t < 16; ++t) {
        threads.emplace_back([&, t] {
            std::vector<future<response>> mine;
            for (int i = 0; i < 25; ++i) {
                mine.push_back(ledger.track(
                    s->get(server.url("/" + std::to_string(t) + "." + std::to_string(i)))));
            }
            for (int i = 0; i < 25; ++i) {
                EXPECT_EQ(mine[static_cast<std::size_t>(i)].result().body,
                          "GET /" + std::to_string(t) + "." + std::to_string(i) + " ");
            }
        });
    }
    for (std::thread& t : threads) t.join();
    s.reset(); // callbacks run on its thread
    EXPECT_EQ(ledger.values(), 400u);
    ledger.expect_balanced();
}

TEST(HttpSession, ResultsComeInTheOrderInWhichTheyFinish) {
    std::latch fast_is_done(1);
    fault_server server(fault_server::for_each_request([&](connection& c, const auto& a) {
        if (a.path() == "/slow") fast_is_done.wait();
        c.answer(a.path());
    }));
    session s;
    const std::vector<future<response>> both{s.get(server.url("/slow")),
                                             s.get(server.url("/fast"))};
    std::string order;
    for (const future<response>& f : heddle::as_completed(both)) {
        order += f.result().body;
        if (f == both[1]) fast_is_done.count_down();
    }
    EXPECT_EQ(order, "/fast/slow");
}

TEST(HttpSession, AStatusOf400AndMoreIsAValueUntilRaised) {
    fault_server server(fault_server::for_each_request([](connection& c, const auto&) {
        c.send("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone");
    }));
    session s;
    const response page = s.get(server.url("/x")).result();
    EXPECT_EQ(page.status, 404);
    EXPECT_EQ(page.body, "gone");
    EXPECT_FALSE(page.ok());
    try {
        page.raise_for_status();
        FAIL() << "it did not throw";
    } catch (const heddle::http::status_error& e) {
        EXPECT_EQ(e.status(), 404);
        EXPECT_EQ(e.url(), server.url("/x"));
        EXPECT_NE(std::string(e.what()).find("404 for " + server.url("/x")), std::string::npos);
    }
}

TEST(HttpSession, KeepsCookiesUnlessTold) {
    const auto handler = fault_server::for_each_request(
        [](connection& c, const auto& a) { c.answer(a.field("Cookie"), "Set-Cookie: id=7\r\n"); });
    fault_server server(handler);
    session with, without({.cookies = false});
    (void)with.get(server.url()).result();
    (void)without.get(server.url()).result();
    EXPECT_EQ(with.get(server.url()).result().body, "id=7");
    EXPECT_EQ(without.get(server.url()).result().body, "");
}

TEST(HttpSession, TextIsConvertedToUtf8) {
    fault_server server(fault_server::for_each_request([](connection& c, const auto& a) {
        c.answer(a.path() == "/utf" ? "gr\xC3\xBC\xC3\x9F \xFF!" : "gr\xFC\xDF",
                 "Content-Type: text/plain; charset=" +
                     std::string(a.path() == "/utf" ? "\"UTF-8\"" : "ISO-8859-1") + "\r\n");
    }));
    session s;
    EXPECT_EQ(s.get(server.url("/latin")).result().text(), "gr\xC3\xBC\xC3\x9F");
    EXPECT_EQ(s.get(server.url("/utf")).result().text(), "gr\xC3\xBC\xC3\x9F \xEF\xBF\xBD!");
}

TEST(HttpSession, InterimAnswersAndAnswersWithoutBodiesDoNotHang) {
    fault_server server(fault_server::for_each_request([](connection& c, const auto& a) {
        if (a.method() == "HEAD") {
            c.send("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nContent-Encoding: gzip\r\n\r\n");
        } else if (a.path() == "/204") c.send("HTTP/1.1 204 No Content\r\n\r\n");
        else if (a.path() == "/304")
            c.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n");
        else if (a.path() == "/1xx") {
            c.send("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
                   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        } else if (a.path() == "/chunks") {
            c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
                   "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-T: late\r\n\r\n");
        }
    }));
    session s;
    const auto get = [&](const char* path) { return s.get(server.url(path)).result(); };
    const response head = s.request({.method = "HEAD", .url = server.url()}).result();
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.body, "");
    EXPECT_EQ(get("/204").status, 204);
    EXPECT_EQ(get("/304").status, 304);
    EXPECT_EQ(get("/1xx").body, "ok");
    EXPECT_EQ(get("/1xx").headers.get("X-Early"), std::nullopt);
    EXPECT_EQ(get("/chunks").body, "abcde");
    EXPECT_EQ(server.connections(), 1);
}

TEST(HttpSession, CoroutinesAwaitRequests) {
    fault_server server(echo());
    session s;
    const auto fetch = [](session& with, std::string url) -> heddle::aio::task<std::string> {
        const response page = co_await with.get(url);
        co_return page.body;
    };
    std::vector<heddle::aio::task<std::string>> all;
    for (int i = 0; i < 10; ++i) all.push_back(fetch(s, server.url("/" + std::to_string(i))));
    const auto bodies = heddle::aio::run(heddle::aio::gather(std::move(all)));
    for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(bodies[i], "GET /" + std::to_string(i) + " ");
}

TEST(HttpSession, WaitsInsidePoolTasksLetAStandInRun) {
    fault_server server(echo());
    session s;
    heddle::thread_pool pool(1);
    std::latch other(1);
    auto waits = pool.submit([&] {
        auto page = s.get(server.url("/p"));
        auto body = page.result().body;
        other.wait(); // only another worker counts it down
        return body;
    });
    pool.submit([&] { other.count_down(); }).wait();
    EXPECT_EQ(waits.result(), "GET /p ");
}

TEST(HttpSession, AWaitInItsOwnCallbackThrows) {
    fault_server server(echo());
    session s;
    auto inner = s.get(server.url("/1")).then([&](const future<response>& first) {
        (void)first.result();
        return s.get(server.url("/2")).result().status;
    });
    EXPECT_THROW((void)inner.result(), heddle::would_deadlock_error);
    EXPECT_EQ(s.get(server.url("/3")).result().status, 200);
}

TEST(HttpSession, DoesNotExistInAForkedChild) {
    fault_server server(echo());
    session s;
    (void)s.get(server.url()).result();
    std::latch asked(1), forked(1);
    fault_server slow(fault_server::for_each_request([&](connection& c, const auto&) {
        asked.count_down();
        forked.wait();
        c.answer("late");
    }));
    future<response> under_way = s.get(slow.url());
    asked.wait();
    const int status = heddle::test::in_child([&] {
        int caught = 0;
        try {
            (void)s.get(server.url());
        } catch (const heddle::forked_error&) {
            ++caught;
        }
        try {
            (void)under_way.result();
        } catch (const heddle::forked_error&) {
            ++caught;
        }
        under_way.cancel();
        s.~session(); // joins nothing, closes nothing
        return caught;
    });
    forked.count_down();
    EXPECT_TRUE(heddle::test::exited_with(status, 2));
    EXPECT_EQ(under_way.result().body, "late");
}

} // namespace
