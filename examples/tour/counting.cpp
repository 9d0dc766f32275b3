#include "counting.hpp"

#include <heddle/progress.hpp>
#include <heddle/queue.hpp>
#include <heddle/thread.hpp>
#include <heddle/thread_pool.hpp>
#include <heddle/wait.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <span>
#include <utility>

namespace tour {

namespace {

void add(tally& into, tally&& from) {
    add(into.words, std::move(from.words));
    into.read += from.read;
    std::ranges::move(from.unreadable, std::back_inserter(into.unreadable));
}

tally count(std::span<const file> files) {
    tally t;
    for (const file& f : files) {
        try {
            std::string text = read_text(f);
            count_words(text, t.words);
            ++t.read;
        } catch (const read_error& failure) {
            t.unreadable.push_back(failure.what());
        }
    }
    return t;
}

/// Cuts the files into pieces of 32, each a task: adding up what 32 files have in common costs
/// little more than adding up one.
std::vector<std::span<const file>> pieces(std::span<const file> files) {
    std::vector<std::span<const file>> all;
    for (; !files.empty(); files = files.subspan(all.back().size())) {
        all.push_back(files.first(std::min<std::size_t>(files.size(), 32)));
    }
    return all;
}

} // namespace

tally one_after_the_other(const std::vector<file>& files) {
    return count(files);
}

tally with_futures(const std::vector<file>& files) {
    heddle::thread_pool pool;
    std::vector<heddle::future<tally>> futures;
    for (std::span<const file> piece : pieces(files)) futures.push_back(pool.submit(count, piece));

    tally all;
    for (tally& t : heddle::results(std::move(futures))) add(all, std::move(t));
    return all;
}

tally with_map(const std::vector<file>& files) {
    const std::vector<std::span<const file>> inputs = pieces(files);
    heddle::thread_pool pool;
    tally all;
    for (tally& t : pool.map({.buffer_size = 8}, count, inputs)) add(all, std::move(t));
    return all;
}

tally with_queue(const std::vector<file>& files) {
    heddle::queue<const file*> to_read;
    for (const file& f : files) to_read.put(&f);
    to_read.shutdown(); // no more will come, so whoever iterates over it ends when it is empty
    heddle::queue<std::string> to_count(16); // readers that are ahead of the counters wait

    const auto read = [&] {
        tally t;
        for (const file* f : to_read) {
            try {
                to_count.put(read_text(*f));
                ++t.read;
            } catch (const read_error& failure) {
                t.unreadable.push_back(failure.what());
            }
        }
        return t;
    };
    const auto count = [&] {
        tally t;
        for (std::string& text : to_count) count_words(text, t.words);
        return t;
    };
    std::vector<heddle::thread<tally>> readers, counters;
    for (int i = 0; i < heddle::available_parallelism(); ++i) {
        readers.emplace_back(read);
        counters.emplace_back(count);
    }
    for (auto& reader : readers) reader.join();
    to_count.shutdown();

    tally all;
    for (auto& reader : readers) add(all, std::move(reader).result());
    for (auto& counter : counters) add(all, std::move(counter).result());
    return all;
}

tally with_progress(const std::vector<file>& files) {
    heddle::thread_pool pool;
    std::vector<heddle::future<tally>> futures;
    for (std::span<const file> piece : pieces(files)) futures.push_back(pool.submit(count, piece));

    const heddle::progress bar("  counting");
    const auto start = std::chrono::steady_clock::now();
    tally all;
    for (heddle::future<tally>& future : heddle::as_completed(std::move(futures))) {
        add(all, std::move(future).result());
        bar({.done = all.read + all.unreadable.size(),
             .total = files.size(),
             .elapsed = std::chrono::steady_clock::now() - start});
    }
    return all;
}

} // namespace tour
