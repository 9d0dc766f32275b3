// Lesson: the thread pool, the tool to use almost every time.
//
// What to notice: `submit` returns at once with a future, `result()` waits for it. Eight calls of
// 0.3 s on four workers take two waves, 0.6 s, instead of 2.4 s one after the other. The size of
// the pool bounds how many run at a time, which matters when each opens a connection. `results` and
// `map` give the results in the order of the inputs, whatever finished first.
#include <heddle/print.hpp>
#include <heddle/thread_pool.hpp>
#include <heddle/wait.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

std::string fetch(const std::string& url) {
    static std::atomic<int> connections = 0;
    if (++connections > 4) throw std::logic_error("more than 4 connections at a time");
    std::this_thread::sleep_for(300ms); // in place of a network request
    --connections;
    return url + " -> 200 OK";
}

int main() {
    heddle::thread_pool pool({.max_workers = 4});

    heddle::future<std::string> page = pool.submit(fetch, "https://example.com");
    heddle::print("submitted; doing other things ...");
    heddle::print(page.result());

    std::vector<std::string> urls;
    for (int i = 0; i < 8; ++i) urls.push_back("https://site/" + std::to_string(i));

    const auto start = std::chrono::steady_clock::now();
    std::vector<heddle::future<std::string>> pages;
    for (const std::string& url : urls) pages.push_back(pool.submit(fetch, url));
    const std::vector<std::string> fetched = heddle::results(pages);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    heddle::print(fetched.size(), "fetched, the first:", fetched[0]);
    std::fprintf(stderr, "elapsed: %.2f s\n", elapsed.count());

    // One function, many inputs, results in order: `map` is the shortest way.
    for (const std::string& result : pool.map(fetch, urls)) heddle::print(result);

    heddle::print("8 pages of 0.3 s by 4 workers: 0.6 s, not 2.4");
}
