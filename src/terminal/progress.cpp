#include <heddle/progress.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <mutex>
#include <utility>

namespace heddle {

namespace {

constexpr std::size_t widest = 80;

std::string format(const char* pattern, auto... values) {
    char text[64];
    std::snprintf(text, sizeof text, pattern, values...);
    return text;
}

/// 999, 1.2k, 34M: at most five characters.
std::string short_number(double n) {
    constexpr const char* units[] = {"", "k", "M", "G", "T", "P", "E"};
    std::size_t unit = 0;
    for (; n >= 999.5 && unit + 1 < std::size(units); ++unit) n /= 1000;
    return format(n < 9.95 && n != static_cast<int>(n) ? "%.1f%s" : "%.0f%s", n, units[unit]);
}

/// 0:07, 12:34, 5:06:07, 12d: at most eight characters.
std::string clock(double seconds) {
    if (seconds >= 100 * 3600.0) return short_number(seconds / 86400) + "d";
    const int s = static_cast<int>(seconds);
    if (s < 3600) return format("%d:%02d", s / 60, s % 60);
    return format("%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
}

/// The beginning of `text`, at most `size` bytes; does not cut through a UTF-8 character.
std::string_view beginning(std::string_view text, std::size_t size) {
    if (text.size() <= size) return text;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
    return text.substr(0, size);
}

std::size_t terminal_columns(int fd) noexcept {
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return widest;
    return std::min<std::size_t>(size.ws_col, widest);
}

} // namespace

std::string detail::progress_line(const progress_state& state, std::size_t columns) {
    const double seconds = std::chrono::duration<double>(state.elapsed).count();
    const double rate = seconds > 0 ? static_cast<double>(state.done) / seconds : 0;
    std::string left(beginning(state.label, 20));
    if (!left.empty()) left += ' ';
    std::string right = ' ' + std::to_string(state.done);
    if (state.total == 0) {
        right += "  " + short_number(rate) + "/s  " + clock(seconds);
        return std::string(beginning(left + right.substr(1), columns));
    }
    const double share =
        std::min(1.0, static_cast<double>(state.done) / static_cast<double>(state.total));
    left += format("%3d%% ", static_cast<int>(share * 100));
    right += '/' + std::to_string(state.total) + "  " + short_number(rate) + "/s  ";
    if (state.done >= state.total) {
        right += clock(seconds);
    } else if (state.done != 0) {
        right += clock(seconds * (1 - share) / share) + " left";
    }
    // The bar takes the rest, up to a width beyond which it tells no more.
    const std::size_t used = left.size() + right.size() + 2;
    const std::size_t width = columns > used ? std::min<std::size_t>(columns - used, 30) : 0;
    if (width < 5) return std::string(beginning(left + right.substr(1), columns));
    const auto full = static_cast<std::size_t>(share * static_cast<double>(width));
    return left + '[' + std::string(full, '#') + std::string(width - full, '-') + ']' + right;
}

/// The line that all copies of a `progress` share.
class progress::line {
public:
    line(std::string label, int fd) : label_(std::move(label)), fd_(fd), on_(::isatty(fd) != 0) {}
    line(const line&) = delete;
    line& operator=(const line&) = delete;
    ~line() {
        try {
            if (open_ && drawn_ != last_.done) draw();
        } catch (...) {
        } // out of memory: leave the line as it is
        if (open_) write("\n");
    }

    std::string_view label() const noexcept { return label_; }

    void show(const progress_state& state) {
        if (!on_) return;
        std::lock_guard lock(mutex_);
        if (state.done == 0) {
            last_ = {};
            next_draw_ = {};
            finished_ = false;
        }
        if (finished_ || state.done < last_.done) return;
        finished_ = state.total != 0 && state.done >= state.total;
        if (!state.label.empty()) label_shown_ = state.label;
        last_ = state;
        open_ = true;
        if (!finished_ && state.elapsed < next_draw_) return;
        next_draw_ = state.elapsed + std::chrono::milliseconds(100);
        draw();
        if (!finished_) return;
        write("\n");
        open_ = false;
    }

private:
    void draw() {
        last_.label = label_shown_.empty() ? std::string_view(label_) : label_shown_;
        // Not the last column, where some terminals begin a new line.
        write('\r' + detail::progress_line(last_, terminal_columns(fd_) - 1) + "\x1b[K");
        drawn_ = last_.done;
    }
    void write(std::string_view text) noexcept {
        while (!text.empty()) {
            const ssize_t written = ::write(fd_, text.data(), text.size());
            if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
            else if (errno != EINTR) return;
        }
    }

    const std::string label_;
    const int fd_;
    const bool on_;
    std::mutex mutex_; // guards what follows
    std::string label_shown_;
    progress_state last_;
    std::size_t drawn_ = 0;
    duration next_draw_{};
    bool open_ = false; // a line without its newline is on the terminal
    bool finished_ = false;
};

progress::progress(std::string label, int fd)
    : line_(std::make_shared<line>(std::move(label), fd)) {}

void progress::operator()(const progress_state& state) const noexcept {
    try {
        line_->show(state);
    } catch (...) {
    } // no memory to draw with: the next report may have it
}

std::string_view progress::label() const noexcept {
    return line_->label();
}

} // namespace heddle
