/// `print`: a line of values on the standard output, never torn.
#pragma once

#include <concepts>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

namespace heddle {

namespace detail {

template <class T>
concept streamable = requires(std::ostream& out, const T& value) { out << value; };

template <class T>
concept text_like =
    std::same_as<T, std::string> || std::same_as<T, std::string_view> ||
    std::same_as<std::decay_t<T>, const char*> || std::same_as<std::decay_t<T>, char*>;

template <class T>
concept printable = text_like<T> || std::is_arithmetic_v<T> || streamable<T>;

void append_text(std::string& line, const char* text); // null: "(null)"
inline void append_text(std::string& line, std::string_view text) {
    line += text;
}
void append_number(std::string& line, long long value);
void append_number(std::string& line, unsigned long long value);
void append_number(std::string& line, float value);
void append_number(std::string& line, double value);
void append_number(std::string& line, long double value);

template <printable T>
void append(std::string& line, const T& value) {
    if constexpr (text_like<T>) {
        append_text(line, value);
    } else if constexpr (std::same_as<T, bool>) {
        line += value ? "true" : "false";
    } else if constexpr (std::same_as<T, char>) {
        line += value;
    } else if constexpr (std::floating_point<T>) {
        append_number(line, value);
    } else if constexpr (std::signed_integral<T>) {
        append_number(line, static_cast<long long>(value));
    } else if constexpr (std::unsigned_integral<T>) {
        append_number(line, static_cast<unsigned long long>(value));
    } else {
        std::ostringstream out;
        out << value;
        line += out.view();
    }
}

/// Writes a whole line to the standard output; see `print`.
void write_line(std::string_view line);

} // namespace detail

/// Writes `args`, separated by blanks, and a newline to the standard output, with one system call.
///
/// Lines of several threads never mix: a line is formatted first and then written as a whole, one
/// line at a time. What C stdio still holds back for `stdout` (and with it `std::cout`, unless it
/// was unsynchronised) is written first, so that output appears in the order of the program.
///
/// Prints anything that has an `operator<<`. Numbers look as with `std::format("{}")`: `true` and
/// `false`, the shortest digits that read back to the same floating-point value, `unsigned char`
/// as a number.
///
/// Throws `std::system_error` if the output cannot be written (part of the line may be). Blocks
/// while the output takes nothing. Costs one `write(2)`.
///
/// Example:
///     heddle::print("worker", 3, "done in", 1.5, "s"); // worker 3 done in 1.5 s
///
/// Thread safety: may be called from any thread.
template <detail::printable... Args>
void print(const Args&... args) {
    std::string line;
    [[maybe_unused]] const auto add = [&](const auto& value) {
        detail::append(line, value);
        line += ' ';
    };
    (add(args), ...);
    if constexpr (sizeof...(Args) != 0) line.back() = '\n';
    else line = '\n';
    detail::write_line(line);
}

} // namespace heddle
