#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fstream>
#include <map>
#include <vector>

namespace heddle::check {

namespace {

i64 as_signed(u64 value, u32 size) {
    switch (size) {
    case 1: return static_cast<std::int8_t>(value);
    case 2: return static_cast<std::int16_t>(value);
    case 4: return static_cast<std::int32_t>(value);
    default: return static_cast<i64>(value);
    }
}

bool looks_like_pointer(u64 value, u32 size) {
    return size == 8 && value > 0x500000000000 && value < u64{1} << 47;
}

std::string show_pointer(u64 value) {
    return value == 0 ? "nullptr" : fmt::format("0x..{:05x}", value & 0xfffff);
}

std::string show_floating(u64 value, u32 size) {
    double number = 0;
    if (size == 4) {
        float narrow = 0;
        std::memcpy(&narrow, &value, sizeof narrow);
        number = static_cast<double>(narrow);
    } else {
        std::memcpy(&number, &value, sizeof number);
    }
    return fmt::format("{:.6g}", number);
}

} // namespace

std::string file_name(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

bool is_system_file(std::string_view file) {
    const auto has = [&](std::string_view part) { return file.find(part) != std::string::npos; };
    return file.empty() || file.rfind("/usr/include/", 0) == 0 || file.rfind("/usr/lib", 0) == 0 ||
           has("/include/c++/") || has("/sysdeps/") || has("/lib/clang/") || has("/lib/gcc/");
}

std::string where(const source_place& p) {
    if (p.file.empty()) return "unknown place";
    return p.line == 0 ? file_name(p.file) : fmt::format("{}:{}", file_name(p.file), p.line);
}

std::string who(u32 thread) {
    return thread == 0 ? "main" : fmt::format("thread {}", thread);
}

std::string count(u64 n, std::string_view one) {
    const bool hisses = !one.empty() && (one.back() == 'h' || one.back() == 's');
    return n == 1 ? fmt::format("1 {}", one) : fmt::format("{} {}{}", n, one, hisses ? "es" : "s");
}

namespace {

/// Several characters that were read or written at once: "from a".
std::string show_text(u64 value, u32 size) {
    std::string text = "\"";
    u32 n = 0;
    for (; n < size && (value >> (8 * n) & 0xff) != 0; ++n) {
        const auto ch = static_cast<char>(value >> (8 * n));
        text += ch >= ' ' && ch < 127 ? ch : '.';
    }
    return text + (n == size ? "...\"" : "\"");
}

} // namespace

std::string show(u64 value, u32 size, value_kind kind) {
    switch (kind) {
    case value_kind::boolean: return value == 0 ? "false" : value == 1 ? "true" : "neither";
    case value_kind::pointer: return show_pointer(value);
    case value_kind::floating: return show_floating(value, size);
    case value_kind::natural: return fmt::format("{}", value);
    case value_kind::character:
        if (size > 1) return show_text(value, size);
        if (value >= ' ' && value < 127) return fmt::format("'{}'", static_cast<char>(value));
        return fmt::format("{}", as_signed(value, size));
    case value_kind::integer: return fmt::format("{}", as_signed(value, size));
    case value_kind::vptr:
    case value_kind::unknown: break;
    }
    return looks_like_pointer(value, size) ? show_pointer(value)
                                           : fmt::format("{}", as_signed(value, size));
}

namespace {

/// Read once: a story asks for many lines, and some programs are one file of some megabytes.
const std::vector<std::string>& lines_of(const std::string& file) {
    static std::map<std::string, std::vector<std::string>> known;
    const auto [at, fresh] = known.try_emplace(file);
    std::ifstream in(fresh ? file : "");
    for (std::string line; fresh && std::getline(in, line);) at->second.push_back(line);
    return at->second;
}

} // namespace

std::string source_line(const source_place& p) {
    const auto& lines = lines_of(p.file);
    if (p.line < 1 || static_cast<std::size_t>(p.line) > lines.size()) return "";
    std::string line = lines[static_cast<std::size_t>(p.line) - 1];
    const auto from = line.find_first_not_of(" \t");
    if (from == std::string::npos) return "";
    line = line.substr(from);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.pop_back();
    std::replace(line.begin(), line.end(), '\t', ' ');
    return line;
}

std::string cut(std::string text, std::size_t width) {
    if (text.size() > width) text = text.substr(0, width > 0 ? width - 1 : 0) + "~";
    return text;
}

std::string shell_word(const std::string& word) {
    const auto plain = [](char ch) {
        return std::isalnum(static_cast<unsigned char>(ch)) != 0 ||
               std::string_view("/._-+=:,@%").find(ch) != std::string::npos;
    };
    if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
    std::string out = "'";
    for (const char ch : word) out += ch == '\'' ? std::string("'\\''") : std::string(1, ch);
    return out + "'";
}

std::string capital(std::string text) {
    if (!text.empty())
        text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    return text;
}

} // namespace heddle::check
