/// Counting words: a word is a run of ASCII letters, in lower case; everything else separates.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tour {

/// Lets a map of strings be searched for a `string_view` without making a string of it.
struct text_hash : std::hash<std::string_view> {
    using is_transparent = void;
};

using word_counts = std::unordered_map<std::string, std::size_t, text_hash, std::equal_to<>>;

/// Adds the words of `text` to `counts`; leaves `text` in lower case.
void count_words(std::string& text, word_counts& counts);

/// Adds all counts of `from` to `into`.
void add(word_counts& into, word_counts&& from);

/// Returns the sum of all counts.
std::size_t total(const word_counts& counts);

/// Returns the `n` most frequent words, most frequent first; equally frequent ones by alphabet.
std::vector<std::pair<std::string, std::size_t>> most_frequent(const word_counts& counts,
                                                               std::size_t n);

} // namespace tour
