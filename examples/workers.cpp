// Lesson: a bank of workers for I/O. Five downloads at once take as long as the slowest of them,
// not as long as all of them together.
//
// What to notice: a download that fails is a result like any other ("Error: ..."), so one bad page
// does not cost the other four. The main thread stays free: it prints a dot now and then (on
// stderr) while the workers wait for the network. `results` keeps the order of the urls.
#include <heddle/print.hpp>
#include <heddle/thread_pool.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

struct page {
    std::string url;
    std::chrono::milliseconds delay; // how long its server takes
    int status;
};

/// Stands in for the network: takes its time, and fails where a real request would.
std::size_t get(const page& wanted) {
    std::this_thread::sleep_for(wanted.delay);
    if (wanted.status != 200) throw std::runtime_error("status " + std::to_string(wanted.status));
    return 1000 * wanted.url.size();
}

std::string download(const page& wanted) {
    try {
        return wanted.url + ": " + std::to_string(get(wanted)) + " bytes";
    } catch (const std::runtime_error& failure) {
        return wanted.url + ": Error: " + failure.what();
    }
}

int main() {
    const std::vector<page> pages = {
        {"https://www.python.org/", 100ms, 200},
        {"https://www.djangoproject.com/", 200ms, 200},
        {"https://flask.example.com/", 300ms, 404},
        {"https://fastapi.example.com/", 400ms, 200},
        {"https://numpy.org/", 500ms, 200},
    };
    const auto start = std::chrono::steady_clock::now();
    {
        heddle::thread_pool pool({.max_workers = 5});
        std::vector<heddle::future<std::string>> downloads;
        for (const page& wanted : pages) downloads.push_back(pool.submit(download, wanted));

        while (!downloads.back().wait_for(100ms)) std::fputs(".", stderr); // still responsive
        for (const std::string& line : heddle::results(downloads)) heddle::print(line);
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    std::fprintf(stderr, "\nelapsed: %.2f s\n", elapsed.count());
    heddle::print("5 downloads of 0.1 to 0.5 s: 0.5 s, not 1.5");
}
