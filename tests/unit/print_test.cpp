#include <heddle/print.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <ostream>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

/// Puts something else in place of the standard output for as long as it lives.
class redirected {
public:
    explicit redirected(int fd) : saved_(::dup(STDOUT_FILENO)) {
        std::fflush(stdout);
        ::dup2(fd, STDOUT_FILENO);
    }
    ~redirected() {
        std::fflush(stdout);
        ::dup2(saved_, STDOUT_FILENO);
        ::close(saved_);
    }

private:
    int saved_;
};

/// What `f` writes to the standard output, read back through a file.
template <class F>
std::string written_by(F f) {
    std::FILE* file = std::tmpfile();
    {
        redirected out(::fileno(file));
        f();
    }
    std::string all;
    std::rewind(file);
    for (int c; (c = std::getc(file)) != EOF;) all += static_cast<char>(c);
    std::fclose(file);
    return all;
}

template <class... Args>
std::string printed(const Args&... args) {
    return written_by([&] { heddle::print(args...); });
}

struct point {
    int x, y;
    friend std::ostream& operator<<(std::ostream& out, const point& p) {
        return out << '<' << p.x << '|' << p.y << '>';
    }
};
struct hidden {};
template <class T>
concept can_print = requires(const T& value) { heddle::print(value); };
static_assert(can_print<point>);
static_assert(!can_print<hidden>);

TEST(Print, SeparatesByBlanksAndEndsTheLine) {
    EXPECT_EQ(printed(), "\n");
    EXPECT_EQ(printed(""), "\n");
    EXPECT_EQ(printed("a"), "a\n");
    EXPECT_EQ(printed("a", 1, 'c', std::string("d"), std::string_view("e")), "a 1 c d e\n");
}

TEST(Print, WritesNumbersAsFormatDoes) {
    EXPECT_EQ(printed(true, false), "true false\n");
    EXPECT_EQ(printed(0.1, 1.0, 1.5f, 1e100, -0.0), "0.1 1 1.5 1e+100 -0\n");
    EXPECT_EQ(printed(std::numeric_limits<std::uint64_t>::max(),
                      std::numeric_limits<std::int64_t>::min()),
              "18446744073709551615 -9223372036854775808\n");
    EXPECT_EQ(printed(std::uint8_t{65}, std::int8_t{-1}, 'A', short{3}), "65 -1 A 3\n");
    EXPECT_EQ(printed(std::numeric_limits<long double>::max()), "1.189731495357231765e+4932\n");
}

TEST(Print, WritesTextOfAllKinds) {
    char buffer[8] = "ab";
    char* mutable_text = buffer;
    const char* none = nullptr;
    EXPECT_EQ(printed(buffer, mutable_text, none), "ab ab (null)\n");
}

TEST(Print, UsesTheStreamOperator) {
    EXPECT_EQ(printed(point{1, 2}, std::this_thread::get_id() == std::thread::id()),
              "<1|2> false\n");
    EXPECT_EQ(printed(nullptr), "nullptr\n");
}

TEST(Print, KeepsTheOrderWithStdio) {
    EXPECT_EQ(written_by([] {
                  std::printf("one ");
                  heddle::print("two");
                  std::printf("three ");
                  heddle::print("four");
              }),
              "one two\nthree four\n");
}

TEST(Print, NeverTearsALine) {
    constexpr int threads = 4, lines = 500;
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    // Longer than what a pipe takes in one piece, so that writes are short now and then.
    const auto line = [](int who) { return std::string(10'000, static_cast<char>('a' + who)); };
    std::string all;
    std::thread reader([&] {
        std::vector<char> buffer(3'001);
        for (ssize_t n; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
            all.append(buffer.data(), static_cast<std::size_t>(n));
        }
    });
    {
        redirected out(ends[1]);
        ::close(ends[1]);
        std::vector<std::thread> writers;
        for (int t = 0; t < threads; ++t) {
            writers.emplace_back([&, t] {
                for (int i = 0; i < lines; ++i) heddle::print(line(t));
            });
        }
        for (auto& w : writers) w.join();
    }
    reader.join();
    ::close(ends[0]);
    std::istringstream in(all);
    std::vector<int> count(threads);
    for (std::string text; std::getline(in, text);) {
        ASSERT_FALSE(text.empty());
        ASSERT_EQ(text, line(text[0] - 'a'));
        ++count[static_cast<std::size_t>(text[0] - 'a')];
    }
    EXPECT_EQ(count, std::vector<int>(threads, lines));
}

TEST(Print, WaitsForAnOutputThatIsNonBlocking) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
    const std::string text(300'000, 'x');
    std::size_t got = 0;
    std::thread reader([&] {
        std::vector<char> buffer(8'192);
        while (got < text.size() + 1) {
            const ssize_t n = ::read(ends[0], buffer.data(), buffer.size());
            if (n > 0) got += static_cast<std::size_t>(n);
            else std::this_thread::yield();
        }
    });
    {
        redirected out(ends[1]);
        heddle::print(text);
    }
    reader.join();
    EXPECT_EQ(got, text.size() + 1);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(Print, ThrowsWhenItCannotWrite) {
    const int full = ::open("/dev/full", O_WRONLY);
    ASSERT_GE(full, 0);
    std::error_code code;
    {
        redirected out(full);
        try {
            heddle::print("lost");
        } catch (const std::system_error& e) {
            code = e.code();
        }
    }
    EXPECT_EQ(code, std::errc::no_space_on_device);
    ::close(full);
}

} // namespace
