#pragma once
// Small pieces of text for people.

#include "finding.hpp"

namespace heddle::check {

inline constexpr std::size_t line_width = 98;

std::string file_name(const std::string& path);

/// "main.cpp:31".
std::string where(const source_place& p);

/// "main", "thread 2".
std::string who(u32 thread);

/// A value of `size` bytes as a signed number, or shortened when it looks like a pointer.
std::string show(u64 value, u32 size);

/// The line itself, without its indentation; empty when the source is not there.
std::string source_line(const source_place& p);

/// Breaks `text` into lines; those after the first stand under the end of `head`.
std::string fold(const std::string& head, const std::string& text);

/// At most `width` characters; "~" says that some are missing.
std::string cut(std::string text, std::size_t width);

} // namespace heddle::check
