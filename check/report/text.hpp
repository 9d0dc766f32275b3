#pragma once
// Small pieces of text for people.

#include "../runtime/protocol.hpp"
#include "types.hpp"

#include <string>
#include <string_view>

namespace heddle::check {

struct source_place {
    std::string file;
    int line = 0;
    std::string function;
    std::string symbol; // the function's mangled name, when it is known
    int begins = 0;     // the line where the function is declared, when it is known
};

std::string file_name(const std::string& path);

/// Whether the file belongs to the compiler or the C and C++ libraries.
bool is_system_file(std::string_view file);

/// "main.cpp:31".
std::string where(const source_place& p);

/// "main", "thread 2".
std::string who(u32 thread);

/// "1 thread", "2 threads", "3 context switches".
std::string count(u64 n, std::string_view one);

/// The value of a variable of `size` bytes as its kind wants it: "true", "-3", "'a'", "nullptr".
std::string show(u64 value, u32 size, value_kind kind);

/// The line itself, without its indentation; empty when the source is not there.
std::string source_line(const source_place& p);

/// At most `width` characters; "~" says that some are missing.
std::string cut(std::string text, std::size_t width);

/// The word as a shell reads it: in quotes where it needs them.
std::string shell_word(const std::string& word);

/// The text with a capital first letter.
std::string capital(std::string text);

} // namespace heddle::check
