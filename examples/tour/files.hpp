/// The files of a folder, and what is in them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace tour {

struct file {
    std::string path;
    std::size_t size; ///< in bytes, when it was listed; no more is read, so reading always ends
};

/// The regular files below a folder, sorted by path. Links are not followed: what they lead to
/// would be counted twice.
struct file_tree {
    std::vector<file> files;
    std::size_t bytes = 0;               ///< the sizes of `files` together
    std::size_t left_out = 0;            ///< files beyond the limit
    std::vector<std::string> unreadable; ///< folders that could not be listed, and why
};

/// A file that could not be read; the text names it and says why.
struct read_error : std::runtime_error {
    using runtime_error::runtime_error;
};

/// Lists the files below `folder`, at most `most_bytes` of them together. Throws
/// `std::filesystem::filesystem_error` if `folder` itself cannot be listed.
file_tree list_files(const std::string& folder, std::size_t most_bytes);

/// Returns the content of a file as it is. Throws `read_error`.
std::string read_bytes(const file& f);

/// Returns the content of a file, decompressed if its name ends in .gz. Throws `read_error`.
std::string read_text(const file& f);

} // namespace tour
