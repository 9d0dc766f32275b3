#include <heddle/print.hpp>

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <mutex>
#include <system_error>

namespace heddle::detail {

namespace {

template <class T>
void append_shortest(std::string& line, T value) {
    char digits[64]; // the longest, of a long double, takes less than 50
    line.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

} // namespace

void append_text(std::string& line, const char* text) {
    line += text ? text : "(null)";
}
void append_number(std::string& line, long long value) {
    append_shortest(line, value);
}
void append_number(std::string& line, unsigned long long value) {
    append_shortest(line, value);
}
void append_number(std::string& line, float value) {
    append_shortest(line, value);
}
void append_number(std::string& line, double value) {
    append_shortest(line, value);
}
void append_number(std::string& line, long double value) {
    append_shortest(line, value);
}

void write_line(std::string_view line) {
    // A pipe that is nearly full takes a long line in pieces, and between two pieces another
    // thread could write. So one line at a time; never destroyed, as print may be called at exit.
    static std::mutex& one_at_a_time = *new std::mutex;
    std::lock_guard lock(one_at_a_time);
    std::fflush(stdout); // if this fails, so does the write below
    while (!line.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, line.data(), line.size());
        if (written >= 0) {
            line.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) { // somebody made the output non-blocking: wait for room
            pollfd output{STDOUT_FILENO, POLLOUT, 0};
            ::poll(&output, 1, -1);
        } else if (errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "print: cannot write");
        }
    }
}

} // namespace heddle::detail
