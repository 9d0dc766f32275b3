// A client for `./dev bench http`: fetches one URL many times, prints wall and CPU seconds of its
// own process and its peak memory.
//
//   http_load WHO URL COUNT AT_ONCE
//
// WHO: heddle (one thread asks), threads (16 do, with one session), curl (libcurl's own loop
// around curl_multi_poll, without a session), stream (a body to a callback).
#include <heddle/http.hpp>
#include <heddle/thread.hpp>

#include <curl/curl.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace http = heddle::http;

namespace {

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "http_load: %s\n", why.c_str());
    std::exit(1);
}

http::session_options options(int at_once) {
    return {.max_connections_per_host = at_once};
}

/// Asks `count` times; the session lets as many run at once as it may. Checks each answer.
void ask(http::session& session, const std::string& url, int count) {
    std::latch all(count);
    std::atomic<int> good = 0;
    for (int i = 0; i < count; ++i) {
        session.get(url).add_done_callback([&](const heddle::future<http::response>& page) {
            good += !page.exception() && page.result().status == 200 &&
                    page.result().body.size() == 1024;
            all.count_down();
        });
    }
    all.wait();
    if (good != count) fail(std::to_string(count - good) + " answers were wrong");
}

void threads(const std::string& url, int count, int at_once) {
    constexpr int askers = 16;
    http::session session(options(at_once));
    std::vector<std::unique_ptr<heddle::thread<void>>> all;
    for (int t = 0; t < askers; ++t) {
        all.push_back(
            std::make_unique<heddle::thread<void>>([&] { ask(session, url, count / askers); }));
    }
    for (const auto& t : all) t->join();
}

std::size_t append(char* at, std::size_t, std::size_t size, void* to) {
    static_cast<std::string*>(to)->append(at, size);
    return size;
}

/// What a program that needs nothing else would write.
void bare_curl(const std::string& url, int count, int at_once) {
    CURLM* const multi = curl_multi_init();
    std::vector<std::string> bodies(static_cast<std::size_t>(at_once));
    int asked = 0, good = 0;
    const auto begin = [&](CURL* easy, std::string& body) {
        body.clear();
        if (asked++ < count) curl_multi_add_handle(multi, easy);
    };
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, long{at_once});
    for (std::string& body : bodies) {
        CURL* const easy = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &append);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, &body);
        begin(easy, body);
    }
    for (int running = 1, left = 0; running > 0;) {
        curl_multi_perform(multi, &running);
        while (const CURLMsg* const message = curl_multi_info_read(multi, &left)) {
            CURL* const easy = message->easy_handle;
            char* body = nullptr;
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, &body);
            auto& text = *reinterpret_cast<std::string*>(body);
            good += message->data.result == CURLE_OK && text.size() == 1024;
            curl_multi_remove_handle(multi, easy);
            begin(easy, text);
            running = 1;
        }
        curl_multi_poll(multi, nullptr, 0, 1, nullptr);
        if (good == count) break;
    }
    if (good != count) fail(std::to_string(count - good) + " answers were wrong");
}

void stream(const std::string& url) {
    http::session session;
    std::size_t bytes = 0;
    const auto page =
        session
            .request(
                {.url = url, .on_body = [&](std::string_view piece) { bytes += piece.size(); }})
            .result();
    if (page.status != 200 || bytes < (std::size_t{1} << 30)) fail("the body is too short");
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 5) fail("usage: http_load heddle|threads|curl|stream URL COUNT AT_ONCE");
    const std::string who = argv[1], url = argv[2];
    const int count = std::atoi(argv[3]), at_once = std::atoi(argv[4]);
    const auto start = std::chrono::steady_clock::now();
    if (who == "heddle") {
        http::session session(options(at_once));
        ask(session, url, count);
    } else if (who == "threads") threads(url, count, at_once);
    else if (who == "curl") bare_curl(url, count, at_once);
    else if (who == "stream") stream(url);
    else fail("there is no way '" + who + "'");
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    std::printf("%.6f %.6f %ld\n",
                wall.count(),
                seconds(used.ru_utime) + seconds(used.ru_stime),
                used.ru_maxrss);
}
