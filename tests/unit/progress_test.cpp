#include <heddle/progress.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

using namespace std::chrono_literals;
using heddle::progress_state;

namespace {

/// A terminal that nobody looks at but the test.
class pseudo_terminal {
public:
    pseudo_terminal() : outside_(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)) {
        ::grantpt(outside_);
        ::unlockpt(outside_);
        inside_ = ::open(::ptsname(outside_), O_RDWR | O_NOCTTY);
        termios raw{};
        ::tcgetattr(inside_, &raw);
        raw.c_oflag &= ~static_cast<tcflag_t>(OPOST); // newlines as they are
        ::tcsetattr(inside_, TCSANOW, &raw);
    }
    ~pseudo_terminal() {
        ::close(inside_);
        ::close(outside_);
    }
    int fd() const { return inside_; }
    /// What was written since the last call.
    std::string read() {
        std::string all;
        char buffer[512];
        for (ssize_t n; (n = ::read(outside_, buffer, sizeof buffer)) > 0;) {
            all.append(buffer, static_cast<std::size_t>(n));
        }
        return all;
    }

private:
    int outside_;
    int inside_ = -1;
};

auto lines_drawn(const std::string& text) {
    return std::count(text.begin(), text.end(), '\r');
}

TEST(ProgressLine, ShowsPercentCountRateAndTimeLeft) {
    EXPECT_EQ(heddle::detail::progress_line({"fetching", 420, 1'000, 42s}, 79),
              "fetching  42% [############------------------] 420/1000  10/s  0:58 left");
    EXPECT_EQ(heddle::detail::progress_line({"", 10, 10, 4s}, 79),
              "100% [##############################] 10/10  2.5/s  0:04");
    EXPECT_EQ(heddle::detail::progress_line({"", 0, 10, 0s}, 79),
              "  0% [------------------------------] 0/10  0/s  ");
    EXPECT_EQ(heddle::detail::progress_line({"read", 12'345, 0, 10s}, 79),
              "read 12345  1.2k/s  0:10");
}

TEST(ProgressLine, FitsWhateverTheNumbers) {
    const std::string long_label = "a label that is much longer than any sensible label, with ü";
    for (std::size_t columns : {79u, 40u, 20u, 5u, 0u}) {
        for (std::size_t total : {std::size_t{0}, std::size_t{1}, SIZE_MAX}) {
            for (std::size_t done : {std::size_t{0}, std::size_t{1}, SIZE_MAX / 2, SIZE_MAX}) {
                for (heddle::duration elapsed : {0ns, 1ns, heddle::duration::max()}) {
                    const auto line =
                        heddle::detail::progress_line({long_label, done, total, elapsed}, columns);
                    EXPECT_LE(line.size(), columns) << line;
                }
            }
        }
    }
}

TEST(ProgressLine, DoesNotCutThroughACharacter) {
    const auto line = heddle::detail::progress_line({"nineteen characters\u00fc", 1, 2, 1s}, 79);
    EXPECT_EQ(line.substr(0, 20), "nineteen characters ");
}

TEST(Progress, DrawsOnATerminalAndEndsItsLine) {
    pseudo_terminal terminal;
    heddle::progress p("copying", terminal.fd());
    p({.done = 1, .total = 2, .elapsed = 1s});
    EXPECT_EQ(terminal.read(),
              "\r" + heddle::detail::progress_line({"copying", 1, 2, 1s}, 79) + "\x1b[K");
    p({.done = 2, .total = 2, .elapsed = 1s}); // though a tenth of a second has not passed
    EXPECT_EQ(terminal.read(),
              "\r" + heddle::detail::progress_line({"copying", 2, 2, 1s}, 79) + "\x1b[K\n");
    p({.done = 1, .total = 2, .elapsed = 1s}); // late
    EXPECT_EQ(terminal.read(), "");
}

TEST(Progress, DrawsAtMostTenTimesASecond) {
    pseudo_terminal terminal;
    heddle::progress p("", terminal.fd());
    std::string all;
    for (std::size_t i = 1; i <= 1'000; ++i) {
        p({.done = i, .total = 2'000, .elapsed = i * 1ms});
        all += terminal.read();
    }
    EXPECT_EQ(lines_drawn(all), 10);
}

TEST(Progress, IgnoresReportsThatComeLate) {
    pseudo_terminal terminal;
    heddle::progress p("", terminal.fd());
    p({.done = 5, .total = 9, .elapsed = 1s});
    terminal.read();
    p({.done = 4, .total = 9, .elapsed = 2s});
    EXPECT_EQ(terminal.read(), "");
}

TEST(Progress, EndsItsLineWhenTheLastCopyGoes) {
    pseudo_terminal terminal;
    std::optional<heddle::progress> p(std::in_place, "", terminal.fd());
    std::function<void(const progress_state&)> stored = *p;
    stored({.done = 1, .elapsed = 1s});
    stored({.done = 2, .elapsed = 1s});
    terminal.read();
    p.reset();
    EXPECT_EQ(terminal.read(), "");
    stored = nullptr;
    const std::string last = terminal.read(); // what was held back, then the newline
    EXPECT_EQ(lines_drawn(last), 1);
    EXPECT_EQ(last.substr(0, 3), "\r2 ");
    EXPECT_EQ(last.back(), '\n');
}

TEST(Progress, BeginsAgainWhenNoneIsDone) {
    pseudo_terminal terminal;
    heddle::progress p("", terminal.fd());
    for (int run = 0; run < 2; ++run) {
        p({.done = 0, .total = 1, .elapsed = 0s});
        p({.done = 1, .total = 1, .elapsed = 9s});
        const auto text = terminal.read();
        EXPECT_EQ(lines_drawn(text), 2);
        EXPECT_EQ(text.back(), '\n');
    }
}

TEST(Progress, IsSilentWhereThereIsNoTerminal) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
    {
        heddle::progress p("quiet", ends[1]);
        EXPECT_EQ(p.label(), "quiet");
        p({.done = 1, .total = 1, .elapsed = 1s});
    }
    char c;
    EXPECT_EQ(::read(ends[0], &c, 1), -1);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(Progress, PrefersTheLabelOfTheReport) {
    pseudo_terminal terminal;
    heddle::progress p("own", terminal.fd());
    p({.label = "given", .done = 1, .total = 2, .elapsed = 1s});
    EXPECT_EQ(terminal.read().substr(0, 7), "\rgiven ");
}

} // namespace
