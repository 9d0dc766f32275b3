/// What a session does with servers that misbehave, and with requests that make no sense.
#include "fault_server.hpp"
#include "support/ledger.hpp"

#include <heddle/aio.hpp>
#include <heddle/event.hpp>
#include <heddle/http.hpp>

#include <gtest/gtest.h>
#include <zlib.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace http = heddle::http;
using heddle::future;
using heddle::test::connection;
using heddle::test::fault_server;

namespace {

/// What the failure of `f` says, if it is an `Error`; else "not that error: …".
template <class Error, class T>
std::string failure(const future<T>& f) {
    try {
        (void)f.result();
    } catch (const Error& e) {
        return e.what();
    } catch (const std::exception& e) {
        return std::string("not that error: ") + e.what();
    }
    return "no error";
}

testing::AssertionResult says(const std::string& text, const std::string& part) {
    if (text.find(part) != text.npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "\"" << text << "\" does not say \"" << part << "\"";
}

/// A server that answers every request with the same bytes and closes.
fault_server::handler always(std::string bytes) {
    return [bytes = std::move(bytes)](connection& c) {
        if (c.read()) c.send(bytes);
    };
}

std::string gzip(std::string_view text, int window = 16 + MAX_WBITS) {
    z_stream z{};
    deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
    std::string made(deflateBound(&z, static_cast<uLong>(text.size())) + 64, '\0');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    z.next_out = reinterpret_cast<Bytef*>(made.data());
    z.avail_out = static_cast<uInt>(made.size());
    deflate(&z, Z_FINISH);
    made.resize(z.total_out);
    deflateEnd(&z);
    return made;
}

std::string encoded(std::string_view coding, std::string_view body) {
    return "HTTP/1.1 200 OK\r\nContent-Encoding: " + std::string(coding) +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

// --- before a byte is sent ----------------------------------------------------------------------

TEST(HttpFaults, UrlsThatCannotBeValidAreRefusedAtOnce) {
    http::session s;
    const std::string bad[] = {"",
                               "example.org",
                               "ftp://example.org/",
                               "file:///etc/passwd",
                               "http://",
                               "http:///path",
                               "http://a b/",
                               "http://a/b c",
                               "http://a/\r\nX: y",
                               std::string("http://a/\0", 10),
                               "http://user:secret@host/",
                               "http://h:0/",
                               "http://h:65536/",
                               "http://h:8x/",
                               "http://h:-1/",
                               "http://h:99999999999/",
                               "http://\xC3\xBC.de/",
                               "http://a/\xC3\xBC",
                               "http://[::1/",
                               "http://[zz]/",
                               "http://a..b/",
                               "http://" + std::string(64, 'a') + ".de/",
                               "http://a/" + std::string(1 << 20, 'x'),
                               "http://a/<b>",
                               "http://a\\@b/"};
    for (const std::string& url : bad) {
        EXPECT_THROW((void)s.get(url), std::invalid_argument) << url.substr(0, 80);
    }
    try {
        (void)s.get("http://user:secret@host/");
    } catch (const std::invalid_argument& e) {
        EXPECT_EQ(std::string(e.what()).find("secret"), std::string::npos) << e.what();
        EXPECT_TRUE(says(e.what(), "Authorization"));
    }
}

TEST(HttpFaults, RequestsThatCannotBeSentAreRefusedAtOnce) {
    http::session s;
    const auto refused = [&](http::request what) {
        what.url = "http://127.0.0.1:1/";
        EXPECT_THROW((void)s.request(what), std::invalid_argument) << what.method;
    };
    refused({.headers = {{"X", "a\r\nY: b"}}});
    refused({.headers = {{"X", std::string("a\0b", 3)}}});
    refused({.headers = {{"X Y", "a"}}});
    refused({.headers = {{"", "a"}}});
    refused({.headers = {{"X:", "a"}}});
    refused({.headers = {{"Content-Length", "5"}}});
    refused({.headers = {{"Transfer-Encoding", "chunked"}}});
    refused({.method = "GET /x HTTP/1.1\r\nX:"});
    refused({.method = ""});
    refused({.method = "CONNECT"});
    refused({.method = "HEAD", .body = "x"});
    refused({.body = "x", .body_source = [] { return ""; }});
    refused({.on_body = [](std::string_view) {}, .save_as = "x"});
    refused({.method = "POST", .retry = heddle::retry_options{}});
    refused({.retry = heddle::retry_options{.attempts = 0}});
    EXPECT_THROW(http::session({.max_connections_per_host = 0}), std::invalid_argument);
    EXPECT_THROW(http::session({.max_redirects = -1}), std::invalid_argument);
    EXPECT_THROW(http::session({.headers = {{"A", "\n"}}}), std::invalid_argument);
    EXPECT_THROW(http::session({.user_agent = "a\r\nb"}), std::invalid_argument);
    EXPECT_THROW(http::session({.proxy = "http://a b"}), std::invalid_argument);
    EXPECT_THROW(http::session({.ca_file = "/no/such.pem"}), std::invalid_argument);
}

// --- no connection ------------------------------------------------------------------------------

TEST(HttpFaults, ARefusedConnectionNamesTheUrl) {
    std::string url;
    {
        fault_server gone([](connection&) {});
        url = gone.url("/x");
    }
    http::session s;
    const std::string text = failure<http::connect_error>(s.get(url));
    EXPECT_TRUE(says(text, "GET " + url));
    EXPECT_TRUE(says(text, "refused"));
}

TEST(HttpFaults, AHostThatDoesNotExistIsAConnectError) {
    http::session s;
    const std::string refused = failure<http::connect_error>(s.get("http://127.0.0.1:1/"));
    EXPECT_TRUE(says(refused, "(Connection refused)"));
    const std::string text = failure<http::connect_error>(s.get("http://no-such-host.invalid/"));
    EXPECT_TRUE(says(text, "no-such-host.invalid"));
    EXPECT_FALSE(says(text, "refused")) << "left there by the transfer before";
}

// --- time limits --------------------------------------------------------------------------------

/// Answers with `head` and then nothing more.
fault_server::handler silent_after(std::string head) {
    return [head = std::move(head)](connection& c) {
        if (!c.read()) return;
        c.send(head);
        c.wait_for_close();
    };
}

TEST(HttpFaults, EachTimeLimitSaysWhichItIs) {
    fault_server silent(silent_after(""));
    fault_server stalls(silent_after("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
    const auto phase = [](const future<http::response>& f, const std::string& limit = "30 ms") {
        try {
            (void)f.result();
        } catch (const http::timeout_error& e) {
            EXPECT_TRUE(says(e.what(), std::string(e.phase())));
            EXPECT_TRUE(says(e.what(), limit));
            return std::string(e.phase());
        }
        return std::string("none");
    };
    http::session total({.timeout = 30ms});
    EXPECT_EQ(phase(total.get(silent.url())), "total");
    http::session stall({.stall_timeout = 30ms});
    EXPECT_EQ(phase(stall.get(silent.url())), "stalled");
    EXPECT_EQ(phase(stall.get(stalls.url())), "stalled");
    http::session own;
    EXPECT_EQ(phase(own.request({.url = silent.url(), .timeout = 30ms})), "total");
    EXPECT_EQ(phase(own.request({.url = silent.url(), .timeout = 0ms}), "0 µs"), "total");
    EXPECT_EQ(phase(own.request({.url = silent.url(), .timeout = 1500us}), "1500 µs"), "total");
}

TEST(HttpFaults, AByteNowAndThenDoesNotBeatTheTotalLimit) {
    fault_server drips([](connection& c) {
        if (!c.read()) return;
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        heddle::event never;
        while (c.send("x")) never.wait_for(1ms);
    });
    http::session s({.timeout = 60ms, .stall_timeout = 10s});
    EXPECT_TRUE(says(failure<http::timeout_error>(s.get(drips.url())), "(total)"));
}

TEST(HttpFaults, AnUploadThatTakesLongIsNotStalled) {
    constexpr std::size_t piece = 1 << 20, pieces = 16; // more than the buffers of sockets hold
    fault_server slow([](connection& c) {
        if (!c.read_head()) return;
        heddle::event never;
        for (std::size_t i = 0; i < pieces; ++i) {
            if (!c.skip(piece)) return;
            never.wait_for(60ms);
        }
        c.answer("thanks");
    });
    // Less than the whole takes; more than the server needs for what is left in the buffers in the
    // end, when the client sees nothing move any more.
    http::session s({.stall_timeout = 700ms});
    const auto sent =
        s.request({.method = "PUT", .url = slow.url(), .body = std::string(pieces * piece, 'x')});
    EXPECT_EQ(sent.result().body, "thanks");
}

TEST(HttpFaults, AConnectionThatNeverStandsIsAConnectTimeout) {
    // TLS to a server that says nothing: connected, but not agreed.
    fault_server mute([](connection& c) { c.wait_for_close(); });
    http::session s({.connect_timeout = 50ms});
    const std::string url = "https://127.0.0.1:" + std::to_string(mute.port()) + "/";
    EXPECT_TRUE(says(failure<http::timeout_error>(s.get(url)), "connect_timeout"));
}

TEST(HttpFaults, TheTimeInTheQueueDoesNotCount) {
    fault_server server(fault_server::for_each_request([](connection& c, const auto&) {
        heddle::event never;
        never.wait_for(20ms);
        c.answer("x");
    }));
    http::session s({.timeout = 5s, .max_connections_per_host = 1});
    std::vector<future<http::response>> all;
    for (int i = 0; i < 5; ++i) all.push_back(s.get(server.url()));
    for (const auto& f : all) EXPECT_EQ(f.result().body, "x");
}

// --- answers that are no answers ----------------------------------------------------------------

TEST(HttpFaults, BodiesThatAreCutOffSayHowFarTheyCame) {
    fault_server shorter(always("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
    fault_server chunk(always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"));
    fault_server last(always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"));
    fault_server reset([](connection& c) {
        if (!c.read()) return;
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        c.reset();
    });
    fault_server nothing(always(""));
    http::session s;
    EXPECT_TRUE(says(failure<http::protocol_error>(s.get(shorter.url())), "3 of 10 bytes"));
    EXPECT_TRUE(says(failure<http::protocol_error>(s.get(chunk.url())), "cut off"));
    EXPECT_TRUE(says(failure<http::protocol_error>(s.get(last.url())), "cut off"));
    EXPECT_TRUE(says(failure<http::protocol_error>(s.get(reset.url())), reset.url()));
    EXPECT_TRUE(says(failure<http::protocol_error>(s.get(nothing.url())), "without an answer"));
}

TEST(HttpFaults, MalformedAnswersAreProtocolErrors) {
    const std::string ok = "HTTP/1.1 200 OK\r\n", body = "Content-Length: 2\r\n\r\nab";
    const std::string bad[] = {
        "gibberish\r\n\r\n",
        "HTTP/1.1 abc OK\r\n" + body,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\nab\r\n0\r\n\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nab",
        ok + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        ok + "Content-Length: -2\r\n\r\nab",
        ok + "Content-Length: 99999999999999999999999\r\n\r\nab",
        ok + std::string("X: a\0b\r\n", 8) + body,
        ok + "no colon\r\n" + body,
        ok + "Bad Name: x\r\n" + body,
        ok + "X: " + std::string(1 << 20, 'x') + "\r\n" + body,
    };
    for (const std::string& answer : bad) {
        fault_server server(always(answer));
        http::session s;
        EXPECT_TRUE(says(failure<http::protocol_error>(s.get(server.url())), server.url()))
            << answer.substr(0, 80);
    }
}

TEST(HttpFaults, HeadersWithoutEndAreCutOff) {
    fault_server server([](connection& c) {
        if (!c.read()) return;
        c.send("HTTP/1.1 200 OK\r\n");
        while (c.send("X-More: 0123456789012345678901234567890123456789\r\n")) {
        }
    });
    http::session s;
    EXPECT_TRUE(says(failure<http::protocol_error>(s.get(server.url())), "larger than"));
}

TEST(HttpFaults, CompressedBodiesAreCheckedAndBounded) {
    const std::string text(100'000, 'x'), packed = gzip(text);
    const std::string wrong_sum = packed.substr(0, packed.size() - 8) + "12345678";
    const auto body = [](const std::string& answer, std::size_t most = 1 << 20) {
        fault_server server(always(answer));
        http::session s({.max_body_bytes = most});
        const auto f = s.get(server.url());
        if (f.exception()) return failure<http::request_error>(f);
        return f.result().body;
    };
    EXPECT_EQ(body(encoded("gzip", packed)), text);
    EXPECT_EQ(body(encoded("x-gzip", packed + packed)), text + text);
    EXPECT_EQ(body(encoded("deflate", gzip(text, MAX_WBITS))), text);
    EXPECT_EQ(body(encoded("deflate", gzip(text, -MAX_WBITS))), text);
    EXPECT_EQ(body(encoded("identity", "as it is")), "as it is");
    EXPECT_EQ(body(encoded("gzip", "")), "");
    EXPECT_TRUE(says(body(encoded("gzip", packed.substr(0, packed.size() - 9))), "cut off"));
    EXPECT_TRUE(says(body(encoded("gzip", packed.substr(0, packed.size() / 2))), "cut off"));
    EXPECT_TRUE(says(body(encoded("gzip", wrong_sum)), "Content-Encoding"));
    EXPECT_TRUE(says(body(encoded("gzip", "not compressed at all")), "Content-Encoding"));
    EXPECT_TRUE(says(body(encoded("deflate", "\xFFnonsense")), "Content-Encoding"));
    EXPECT_TRUE(says(body(encoded("gzip", packed), 99'999), "max_body_bytes"));
    EXPECT_EQ(body(encoded("gzip", packed), 100'000), text);
    EXPECT_TRUE(says(body("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n123456", 5), "5 bytes"));
}

TEST(HttpFaults, ABombDoesNotExplode) {
    const std::string bomb = gzip(std::string(50 << 20, '\0'));
    fault_server server(always(encoded("gzip", bomb)));
    http::session s({.max_body_bytes = 1 << 20});
    EXPECT_TRUE(says(failure<http::body_too_large_error>(s.get(server.url())), "1048576"));
}

// --- connections that are closed too early ------------------------------------------------------

TEST(HttpFaults, AKeptConnectionThatTheServerClosedIsReplacedForWhatMayBeRepeated) {
    fault_server server([](connection& c) {
        if (!c.read()) return;
        c.answer("first");
        (void)c.read(); // the client believes that the connection is good: and it closes
    });
    http::session s;
    EXPECT_EQ(s.get(server.url()).result().body, "first");
    EXPECT_EQ(s.get(server.url()).result().body, "first"); // on a new one
    const auto post = s.request({.method = "POST", .url = server.url(), .body = "pay"});
    EXPECT_TRUE(says(failure<http::protocol_error>(post), "not sent again"));
    EXPECT_EQ(s.get(server.url()).result().body, "first"); // the session is as good as before
}

TEST(HttpFaults, AnEarlyAnswerToAnUploadIsDelivered) {
    // As servers do it: they read on until the client has seen the answer and closes. Otherwise
    // the unread bytes make a reset, which may overtake the answer.
    fault_server server([](connection& c) {
        if (!c.read_head()) return;
        c.send(
            "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
        c.wait_for_close();
    });
    http::session s;
    const auto f =
        s.request({.method = "POST", .url = server.url(), .body = std::string(50 << 20, 'x')});
    EXPECT_EQ(f.result().status, 413);
    EXPECT_EQ(f.result().body, "big");
}

// --- retry --------------------------------------------------------------------------------------

TEST(HttpFaults, RetriesWhatIsTransientAndOnlyIfAsked) {
    std::atomic<int> asked = 0;
    // A connection a request: a kept one that breaks is replaced without being asked.
    fault_server server([&](connection& c) {
        const auto a = c.read();
        switch (asked++ % 3) {
        case 0: return c.reset();
        case 1: c.send("HTTP/1.0 503 Busy\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n"); break;
        default: c.send("HTTP/1.0 200 OK\r\n\r\nat last " + a->body);
        }
    });
    http::session s;
    const heddle::retry_options thrice{.attempts = 3, .backoff = 1ms};
    EXPECT_EQ(s.request({.url = server.url(), .retry = thrice}).result().body, "at last ");
    EXPECT_EQ(s.request({.method = "PUT", .url = server.url(), .body = "x", .retry = thrice})
                  .result()
                  .body,
              "at last x");
    EXPECT_TRUE(says(failure<http::protocol_error>(s.get(server.url())), server.url()));
    EXPECT_EQ(s.get(server.url()).result().status, 503);
    EXPECT_EQ(asked, 8);
}

TEST(HttpFaults, TheLastAttemptIsTheResult) {
    std::atomic<int> asked = 0;
    fault_server server(fault_server::for_each_request([&](connection& c, const auto&) {
        ++asked;
        c.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    }));
    http::session s;
    const auto f = s.request(
        {.url = server.url(), .retry = heddle::retry_options{.attempts = 4, .backoff = 1ms}});
    EXPECT_EQ(f.result().status, 503);
    EXPECT_EQ(asked, 4);
}

// --- the end of a request, and of the session ---------------------------------------------------

TEST(HttpFaults, CancellingAbortsTheTransfer) {
    heddle::event asked, closed;
    fault_server server([&](connection& c) {
        if (!c.read()) return;
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
        asked.set();
        c.wait_for_close();
        closed.set();
    });
    http::session s;
    const auto f = s.get(server.url());
    asked.wait();
    EXPECT_TRUE(f.cancel());
    EXPECT_TRUE(f.cancelled());
    EXPECT_THROW((void)f.result(), heddle::cancelled_error);
    closed.wait(); // while the session lives
    asked.clear();
    closed.clear();
    const auto g = s.get(server.url());
    asked.wait();
    EXPECT_TRUE(g.request_stop());
    EXPECT_FALSE(g.request_stop());
    closed.wait();
}

TEST(HttpFaults, CancelledWaitersGiveTheirTurnAway) {
    heddle::event go;
    fault_server server(fault_server::for_each_request([&](connection& c, const auto& a) {
        go.wait();
        c.answer(a.path());
    }));
    http::session s({.max_connections_per_host = 1});
    std::vector<future<http::response>> all;
    for (int i = 0; i < 9; ++i) all.push_back(s.get(server.url("/" + std::to_string(i))));
    for (std::size_t i = 0; i < 9; i += 2) EXPECT_TRUE(all[i].cancel());
    go.set();
    for (std::size_t i = 1; i < 9; i += 2) {
        EXPECT_EQ(all[i].result().body, "/" + std::to_string(i));
    }
}

TEST(HttpFaults, TimeLimitsOfCoroutinesAbortTheTransfer) {
    std::atomic<bool> asked{false};
    heddle::event closed;
    fault_server server([&](connection& c) {
        if (!c.read()) return;
        asked = true;
        c.wait_for_close();
        closed.set();
    });
    http::session s;
    const auto fetch = [](http::session& with, std::string url) -> heddle::aio::task<int> {
        const http::response page = co_await with.get(url);
        co_return page.status;
    };
    // On a busy machine a short limit may pass before the server was asked.
    for (auto limit = 30ms; !asked; limit *= 2) {
        EXPECT_THROW(heddle::aio::run(heddle::aio::timeout(limit, fetch(s, server.url()))),
                     heddle::timeout_error);
    }
    closed.wait();
}

TEST(HttpFaults, TheEndOfTheSessionFailsWhatIsUnderWay) {
    std::latch asked(3);
    fault_server server([&](connection& c) {
        if (!c.read()) return;
        asked.count_down();
        c.wait_for_close();
    });
    heddle::test::ledger ledger;
    std::optional<http::session> s(std::in_place,
                                   http::session_options{.max_connections_per_host = 3});
    std::vector<future<http::response>> all;
    for (int i = 0; i < 20; ++i) all.push_back(ledger.track(s->get(server.url())));
    asked.wait();
    all[0].cancel();
    s.reset();
    EXPECT_TRUE(all[0].cancelled());
    for (std::size_t i = 1; i < all.size(); ++i) {
        EXPECT_TRUE(says(failure<http::session_closed_error>(all[i]), server.url()));
    }
    ledger.expect_balanced();
    EXPECT_EQ(ledger.exceptions(), 19u);
    EXPECT_EQ(ledger.cancelled(), 1u);
}

TEST(HttpFaults, ASessionMayEndInACallbackOfItsOwn) {
    fault_server server(
        fault_server::for_each_request([](connection& c, const auto&) { c.answer("x"); }));
    heddle::event ended;
    auto s = std::make_shared<http::session>();
    auto f = s->get(server.url());
    f.add_done_callback([&, held = std::move(s)](const future<http::response>&) mutable {
        held.reset();
        ended.set();
    });
    ended.wait();
    EXPECT_EQ(f.result().body, "x");
}

TEST(HttpFaults, AFailureThatNobodySawIsReported) {
    fault_server nothing(always(""));
    const auto before = heddle::set_failure_handler(nullptr);
    heddle::event told;
    heddle::set_failure_handler([&](const heddle::failure_info& lost) {
        EXPECT_NE(lost.address, nullptr);
        told.set();
    });
    http::session s;
    {
        auto dropped = s.get(nothing.url());
    }
    told.wait();
    heddle::set_failure_handler(before);
}

} // namespace
