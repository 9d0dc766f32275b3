#include "words.hpp"

#include <algorithm>

namespace tour {

namespace {

/// The lower-case letter for a letter, 0 for anything else. (`std::tolower` asks the locale.)
constexpr char letter(char c) {
    if (c >= 'a' && c <= 'z') return c;
    if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
    return 0;
}

} // namespace

void count_words(std::string& text, word_counts& counts) {
    char* const begin = text.data();
    char* const end = begin + text.size();
    for (char* at = begin; at != end;) {
        char* const word = at;
        while (at != end && letter(*at) != 0) {
            *at = letter(*at);
            ++at;
        }
        if (at == word) {
            ++at;
            continue;
        }
        const std::string_view found(word, static_cast<std::size_t>(at - word));
        if (const auto known = counts.find(found); known != counts.end()) ++known->second;
        else counts.emplace(found, 1);
    }
}

void add(word_counts& into, word_counts&& from) {
    if (into.size() < from.size()) std::swap(into, from);
    for (const auto& [word, count] : from) into[word] += count;
}

std::size_t total(const word_counts& counts) {
    std::size_t sum = 0;
    for (const auto& [word, count] : counts) sum += count;
    return sum;
}

std::vector<std::pair<std::string, std::size_t>> most_frequent(const word_counts& counts,
                                                               std::size_t n) {
    std::vector<std::pair<std::string, std::size_t>> all(counts.begin(), counts.end());
    const auto last = all.begin() + static_cast<std::ptrdiff_t>(std::min(n, all.size()));
    std::partial_sort(all.begin(), last, all.end(), [](const auto& a, const auto& b) {
        return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    all.erase(last, all.end());
    return all;
}

} // namespace tour
