// Lesson: many downloads in one thread. The same five pages, fetched in five ways.
//
// What to notice: coroutines wait together, so five pages take as long as the slowest. `gather`
// keeps the order, `as_completed` gives what is there, `timeout` gives up on one page and not on
// the others, `gather_outcomes` makes a failure a result. The network here is a sleep.
#include <heddle/aio.hpp>
#include <heddle/print.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace aio = heddle::aio;

struct page {
    std::string url;
    std::chrono::milliseconds delay;
    bool broken = false;
};

const std::vector<page> pages = {
    {"/home", 150ms}, {"/news", 50ms}, {"/shop", 250ms}, {"/old", 100ms, true}, {"/blog", 200ms}};

aio::task<std::string> fetch(page from) {
    co_await aio::sleep_for(from.delay);
    if (from.broken) throw std::runtime_error("404");
    co_return from.url + " (" + std::to_string(from.url.size() * 100) + " bytes)";
}

aio::task<std::string> fetch_or_say_why(page from, std::chrono::milliseconds limit) {
    try {
        std::string text = co_await aio::timeout(limit, fetch(from));
        co_return text;
    } catch (const heddle::timeout_error&) {
        co_return from.url + " took too long";
    } catch (const std::exception& e) {
        co_return from.url + " failed: " + e.what();
    }
}

std::vector<aio::task<std::string>> fetch_all() {
    std::vector<aio::task<std::string>> all;
    for (const page& each : pages) all.push_back(fetch(each));
    return all;
}

aio::task<> main_task() {
    heddle::print("in order, each with its limit, two at a time:");
    std::vector<aio::task<std::string>> limited;
    for (const page& each : pages) limited.push_back(fetch_or_say_why(each, 225ms));
    const std::vector<std::string> texts = co_await aio::gather(std::move(limited), {.limit = 2});
    for (const std::string& text : texts) heddle::print(" ", text);

    heddle::print("as they come:");
    auto coming = aio::as_completed(fetch_all());
    for (;;) {
        const auto next = co_await coming.next();
        if (!next) break;
        heddle::print(" ", next->has_value() ? next->value() : "a failure");
    }

    heddle::print("every outcome:");
    const auto outcomes = co_await aio::gather_outcomes(fetch_all());
    for (std::size_t i = 0; i < pages.size(); ++i) {
        heddle::print(" ", pages[i].url, outcomes[i].has_value() ? "came" : "did not come");
    }

    heddle::print("all or nothing:");
    try {
        (void)co_await aio::gather(fetch_all());
    } catch (const std::exception& e) {
        heddle::print("  one failed, the slower ones were cancelled:", e.what());
    }
}

int main() {
    aio::run(main_task());
}
