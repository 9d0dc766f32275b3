// The tour: Heddle at work on real files, then every lesson in one line.
//
//   tour [DIR]      (default: /usr/share/doc)
//
// Counts the words of all files below DIR, .gz files included, in five ways: one file after the
// other, and then concurrently with futures, a bounded map, a queue between threads, and
// as_completed with a progress bar. All five must agree to the last word. How each is written
// stands in tour/counting.cpp; a newcomer might begin there.
//
// Ends with 0; 1 if two ways disagree or a lesson fails; 2 if DIR cannot be read.
#include "tour/counting.hpp"
#include "tour/lessons.hpp"

#include <heddle/thread_pool.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace {

constexpr std::size_t most_bytes = std::size_t{256} << 20;

struct way {
    const char* name;
    tour::tally (*count)(const std::vector<tour::file>&);
};
constexpr way ways[] = {{"one file after the other", tour::one_after_the_other},
                        {"pool.submit + results", tour::with_futures},
                        {"pool.map, ordered and bounded", tour::with_map},
                        {"threads and a bounded queue", tour::with_queue},
                        {"as_completed, with a progress bar", tour::with_progress}};

/// A heading: bold on a terminal, unless NO_COLOR asks for plain text.
std::string heading(const std::string& text) {
    const char* no_color = std::getenv("NO_COLOR");
    const bool plain = (no_color != nullptr && *no_color != '\0') || isatty(STDOUT_FILENO) == 0;
    return plain ? text : "\033[1m" + text + "\033[0m";
}

/// "1,234,567"
std::string grouped(std::size_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
    return digits;
}

/// A file may be called anything; a terminal must not act on it.
std::string printable(std::string text) {
    std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    return text;
}

void report_unreadable(const tour::file_tree& tree, const tour::tally& t) {
    std::printf("\n  %s files = %s read + %s unreadable\n",
                grouped(tree.files.size()).c_str(),
                grouped(t.read).c_str(),
                grouped(t.unreadable.size()).c_str());
    if (!tree.unreadable.empty()) {
        std::printf("  folders that cannot be listed: %s\n",
                    grouped(tree.unreadable.size()).c_str());
    }
    std::vector<std::string> named = t.unreadable;
    std::ranges::sort(named);
    named.insert(named.end(), tree.unreadable.begin(), tree.unreadable.end());
    constexpr std::size_t shown = 5;
    for (std::size_t i = 0; i < std::min(shown, named.size()); ++i) {
        std::printf("    %s\n", printable(named[i]).c_str());
    }
    if (named.size() > shown) std::printf("    and %zu more\n", named.size() - shown);
}

void report_words(const tour::tally& t) {
    if (t.words.empty()) {
        std::puts("  all ways agree: no words");
        return;
    }
    std::printf("  all ways agree: %s words, %s different; the ten most frequent:\n\n",
                grouped(total(t.words)).c_str(),
                grouped(t.words.size()).c_str());
    for (const auto& [word, count] : most_frequent(t.words, 10)) {
        std::printf("    %-16s %12s\n", word.c_str(), grouped(count).c_str());
    }
}

/// Counts in all ways; false if they do not agree.
bool count_words(const tour::file_tree& tree) {
    for (const tour::file& f : tree.files) { // so that each way finds the files in memory
        try {
            (void)tour::read_bytes(f);
        } catch (const tour::read_error&) { // each way will name it
        }
    }
    std::printf("%s\n", heading("  Counting words                        time   speed-up").c_str());
    tour::tally first;
    double first_seconds = 0;
    for (const way& w : ways) {
        const auto begin = std::chrono::steady_clock::now();
        tour::tally t = w.count(tree.files);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        std::ranges::sort(t.unreadable);
        std::printf("  %-34s %6.2f s", w.name, took.count());
        if (&w == ways) {
            first = std::move(t);
            first_seconds = took.count();
            std::puts("");
            continue;
        }
        if (first_seconds > 0.05) std::printf(" %8.2f x", first_seconds / took.count());
        std::puts("");
        if (t.words != first.words || t.read != first.read || t.unreadable != first.unreadable) {
            std::fprintf(stderr,
                         "tour: '%s' counted %zu words in %zu files, '%s' %zu in %zu (did files "
                         "change meanwhile?)\n",
                         w.name,
                         total(t.words),
                         t.read,
                         ways[0].name,
                         total(first.words),
                         first.read);
            return false;
        }
    }
    report_unreadable(tree, first);
    report_words(first);
    return true;
}

/// Runs every lesson; false if one fails.
bool run_lessons() {
    std::error_code unknown; // then no lesson will be found, and we say so
    const std::string folder =
        std::filesystem::read_symlink("/proc/self/exe", unknown).parent_path();
    std::printf("\n%s\n",
                heading("  Lessons (examples/NAME.cpp), what each shows in the end").c_str());
    bool all_good = true;
    for (const tour::lesson& l : tour::lessons()) {
        std::string name = l.program;
        for (const std::string& argument : l.arguments) name += " " + argument;
        const tour::lesson_report report = tour::run(l, folder);
        std::printf("  %-20s %5.2f s  %s%s\n",
                    name.c_str(),
                    report.seconds,
                    report.good ? "" : "FAILED: ",
                    report.shows.c_str());
        all_good &= report.good;
    }
    return all_good;
}

} // namespace

int main(int argc, char** argv) {
    const std::string folder = argc > 1 ? argv[1] : "/usr/share/doc";
    if (folder == "--help" || folder == "-h") {
        std::puts("usage: tour [DIR]    counts the words of all files below DIR (/usr/share/doc)");
        return 0;
    }
    if (argc > 2) {
        std::fprintf(stderr, "tour: give one folder, not %d (usage: tour [DIR])\n", argc - 1);
        return 2;
    }
    tour::file_tree tree;
    try {
        tree = tour::list_files(folder, most_bytes);
    } catch (const std::filesystem::filesystem_error& failure) {
        std::fprintf(stderr,
                     "tour: cannot read the folder '%s': %s\n",
                     printable(folder).c_str(),
                     failure.code().message().c_str());
        return 2;
    }

    std::setvbuf(stdout, nullptr, _IOLBF, 0); // each line as soon as it is known
    std::printf("%s\n", heading("Heddle: a tour").c_str());
    std::printf("  %s files, %.1f MiB, below %s; %d workers\n",
                grouped(tree.files.size()).c_str(),
                static_cast<double>(tree.bytes) / (1 << 20),
                printable(folder).c_str(),
                heddle::available_parallelism());
    if (tree.left_out > 0) {
        std::printf("  (%s more files left out: 256 MiB are enough for a tour)\n",
                    grouped(tree.left_out).c_str());
    }
    std::puts("");
    const bool agreed = count_words(tree);
    const bool taught = run_lessons();
    return agreed && taught ? 0 : 1;
}
