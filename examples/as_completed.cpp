// Lesson: handle results as they arrive, instead of waiting for the slowest first.
//
// What to notice: `as_completed` gives the futures in the order in which they finish. A future is
// a key, so a map from future to url tells which page it is. The pages here "arrive" in an order
// that the program decides, through one event a page, so that the lesson reads the same each time.
#include <heddle/event.hpp>
#include <heddle/print.hpp>
#include <heddle/thread_pool.hpp>
#include <heddle/wait.hpp>

#include <array>
#include <cstddef>
#include <ranges>
#include <string>
#include <unordered_map>

constexpr std::size_t page_count = 8;
std::array<heddle::event, page_count> arrived;

std::string fetch(std::size_t page) {
    arrived[page].wait();
    return std::to_string(1000 + 111 * page) + " bytes";
}

int main() {
    constexpr std::array<std::size_t, page_count> order = {3, 0, 7, 1, 6, 2, 5, 4};

    heddle::thread_pool pool({.max_workers = page_count});
    std::unordered_map<heddle::future<std::string>, std::string> urls;
    for (std::size_t page = 0; page < page_count; ++page) {
        urls.emplace(pool.submit(fetch, page), "https://site/" + std::to_string(page));
    }

    arrived[order[0]].set();
    std::size_t finished = 0;
    for (const heddle::future<std::string>& page : heddle::as_completed(urls | std::views::keys)) {
        heddle::print(urls.at(page), "->", page.result());
        if (++finished < page_count) arrived[order[finished]].set();
    }
    heddle::print("submitted 0 to 7, handled 3 0 7 1 6 2 5 4");
}
