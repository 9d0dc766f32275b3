/// Memory that is lent to another process with a large buffer, and used again.
#include <heddle/detail/large_buffer.hpp>
#include <heddle/error.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <vector>

using heddle::detail::drop_large;
using heddle::detail::keeps_large;
using heddle::detail::large_view;
using heddle::detail::lend_large;
using heddle::detail::shared_descriptor;

namespace {

std::vector<std::byte> filled(std::size_t size, int with) {
    return std::vector<std::byte>(size, static_cast<std::byte>(with));
}

/// The same memory, by a descriptor that says nothing about who lent it.
shared_descriptor arrived(const shared_descriptor& lent) {
    return std::make_shared<const heddle::detail::descriptor>(dup(lent->get()));
}

bool holds(const shared_descriptor& lent, const std::vector<std::byte>& bytes) {
    const large_view view(arrived(lent), bytes.size());
    return std::memcmp(view.data(), bytes.data(), bytes.size()) == 0;
}

class LargeBuffer : public testing::Test {
protected:
    LargeBuffer() { drop_large(); }
    ~LargeBuffer() override { drop_large(); }
};

TEST_F(LargeBuffer, IsUsedAgainOnceItWasReadAndNobodyRefersToIt) {
    shared_descriptor first = lend_large(filled(300'000, 1));
    const int number = first->get();
    EXPECT_TRUE(holds(first, filled(300'000, 1)));
    EXPECT_NE(lend_large(filled(10, 9))->get(), number); // a message refers to it
    first.reset();
    const shared_descriptor smaller = lend_large(filled(200'000, 2));
    EXPECT_EQ(smaller->get(), number);
    EXPECT_TRUE(holds(smaller, filled(200'000, 2)));
}

TEST_F(LargeBuffer, IsNotUsedAgainBeforeItWasRead) {
    const shared_descriptor theirs = arrived(lend_large(filled(300'000, 1)));
    EXPECT_TRUE(keeps_large());
    const shared_descriptor next = lend_large(filled(300'000, 2));
    EXPECT_TRUE(holds(theirs, filled(300'000, 1)));
    EXPECT_TRUE(holds(next, filled(300'000, 2)));
}

TEST_F(LargeBuffer, IsNotUsedAgainWhileItIsBeingRead) {
    const shared_descriptor theirs = arrived(lend_large(filled(300'000, 1)));
    const large_view view(theirs, 300'000);
    lend_large(filled(300'000, 2));
    EXPECT_EQ(view.data()[299'999], std::byte{1});
}

TEST_F(LargeBuffer, GoesBackToTheSystemWhenItIsDroppedOrTooManyAreKept) {
    const auto last_descriptor = [] {
        const int next = dup(0);
        close(next);
        return next;
    };
    const int before = last_descriptor();
    for (int i = 0; i < 100; ++i) lend_large(filled(1000, i)); // nobody reads them
    EXPECT_LE(last_descriptor(), before + 8);
    drop_large();
    EXPECT_FALSE(keeps_large());
    EXPECT_EQ(last_descriptor(), before);
}

TEST_F(LargeBuffer, OfTheParentIsNotWrittenToByAForkedChild) {
    const std::vector<std::byte> given = filled(300'000, 1);
    shared_descriptor first = lend_large(given);
    const shared_descriptor theirs = arrived(first);
    EXPECT_TRUE(holds(theirs, given));
    first.reset(); // could be used again, but not by both
    const pid_t child = fork();
    if (child == 0) {
        lend_large(filled(300'000, 2));
        _exit(0);
    }
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_TRUE(holds(theirs, given));
}

TEST_F(LargeBuffer, ThatIsShorterThanAnnouncedIsRefused) {
    const shared_descriptor lent = lend_large(filled(5000, 1));
    EXPECT_THROW(large_view(arrived(lent), 6000), heddle::error);
    EXPECT_THROW(large_view(arrived(lent), ~std::size_t{0}), heddle::error);
}

} // namespace
