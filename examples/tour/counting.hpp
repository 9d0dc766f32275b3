/// One job, five ways: count the words of many files.
#pragma once

#include "files.hpp"
#include "words.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace tour {

/// What came out. Nothing is lost: every file is either read or named in `unreadable`.
struct tally {
    word_counts words;
    std::size_t read = 0;
    std::vector<std::string> unreadable; ///< in any order
};

/// In one thread, one file after the other: what the others are measured against.
tally one_after_the_other(const std::vector<file>& files);
/// `submit` a task for each few files, then `results`.
tally with_futures(const std::vector<file>& files);
/// An ordered `map` that is at most 8 tasks ahead, so that memory stays bounded.
tally with_map(const std::vector<file>& files);
/// Threads that read, a bounded queue, threads that count.
tally with_queue(const std::vector<file>& files);
/// `as_completed`, with a progress bar: each result is added up as soon as it is there.
tally with_progress(const std::vector<file>& files);

} // namespace tour
