#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

namespace heddle::check {

std::string file_name(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string where(const source_place& p) {
    if (p.file.empty()) return "unknown place";
    return p.line == 0 ? file_name(p.file) : fmt::format("{}:{}", file_name(p.file), p.line);
}

std::string who(u32 thread) {
    return thread == 0 ? "main" : fmt::format("thread {}", thread);
}

std::string show(u64 value, u32 size) {
    switch (size) {
    case 1: return fmt::format("{}", static_cast<int>(static_cast<u8>(value)));
    case 2: return fmt::format("{}", static_cast<std::int16_t>(value));
    case 4: return fmt::format("{}", static_cast<std::int32_t>(value));
    default: break;
    }
    const bool pointer = value >= 0x10000 && value < u64{1} << 47 && value > 0x500000000000;
    return pointer ? fmt::format("0x..{:05x}", value & 0xfffff)
                   : fmt::format("{}", static_cast<i64>(value));
}

std::string source_line(const source_place& p) {
    std::ifstream in(p.file);
    std::string line;
    for (int n = 0; n < p.line; ++n)
        if (!std::getline(in, line)) return "";
    const auto from = line.find_first_not_of(" \t");
    return from == std::string::npos ? "" : line.substr(from);
}

std::string fold(const std::string& head, const std::string& text) {
    std::string out = head, line;
    std::size_t width = head.size();
    std::size_t at = 0;
    while (at < text.size()) {
        const auto space = std::min(text.find(' ', at), text.size());
        const std::size_t length = space - at;
        if (width + length + 1 > line_width) {
            while (out.back() == ' ') out.pop_back();
            out += "\n" + std::string(head.size(), ' ');
            width = head.size();
        }
        out += text.substr(at, length + (space < text.size() ? 1 : 0));
        width += length + 1;
        at = space + 1;
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out + "\n";
}

std::string cut(std::string text, std::size_t width) {
    if (text.size() > width) text = text.substr(0, width - 1) + "~";
    return text;
}

} // namespace heddle::check
