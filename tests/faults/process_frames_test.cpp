/// Fault F75: frames that are cut off, mangled or lie about their length.
#include "fuzz/frames.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

namespace detail = heddle::detail;
using heddle::test::parse_frames;
using stream = std::vector<std::byte>;

namespace {

void append(stream& to, const detail::shared_message& frame) {
    to.insert(to.end(), frame->frame().begin(), frame->frame().end());
}

/// What a worker may well send.
stream good_frames() {
    stream all;
    append(all, detail::make_frame(detail::frame_kind::ready, 0));
    append(all, detail::make_frame(detail::frame_kind::passed, 7));
    append(all, detail::make_frame(detail::frame_kind::ended, 7, [](detail::message& m) {
               m.append_value(true);
               try {
                   throw std::out_of_range("far");
               } catch (...) {
                   detail::encode_failure(m);
               }
           }));
    append(all, detail::make_frame(detail::frame_kind::ended, 8, [](detail::message& m) {
               m.append_value(false);
               std::memset(m.extend(200'000), 1, 200'000); // more than is read at once
           }));
    append(all, detail::make_frame(detail::frame_kind::refused, 0, [](detail::message& m) {
               detail::append_text(m, "no licence");
           }));
    return all;
}

TEST(Frames, AreTheSameInWhateverPiecesTheyArrive) {
    const stream bytes = good_frames();
    for (const std::size_t piece : {1u, 2u, 23u, 24u, 25u, 4095u, 65536u, 100000u}) {
        auto frames = parse_frames(bytes, piece);
        ASSERT_EQ(frames.size(), 5u) << piece;
        EXPECT_EQ(frames[1].head().id, 7u);
        EXPECT_EQ(frames[3].head().length, 200'001u);
        detail::reader last = std::move(frames[4]);
        EXPECT_EQ(detail::take_text(last), "no licence");
    }
}

TEST(Frames, ThatAreCutOffGiveNothing) {
    const stream bytes = good_frames();
    for (std::size_t size = 0; size < 300; ++size) {
        const auto frames = parse_frames(std::span(bytes).first(size), 64);
        EXPECT_LE(frames.size(), 3u);
    }
}

TEST(Frames, ALengthThatLiesMakesNobodyAllocate) {
    // 70 TB are announced and 1,000 bytes come: memory follows what has come.
    detail::frame_header head;
    head.length = std::uint64_t{1} << 46;
    head.kind = static_cast<std::uint16_t>(detail::frame_kind::ended);
    stream bytes(sizeof head + 1000);
    std::memcpy(bytes.data(), &head, sizeof head);
    EXPECT_TRUE(parse_frames(bytes, bytes.size()).empty());
}

TEST(Frames, ThatAreMangledAreRefusedOrHarmless) {
    const stream good = good_frames();
    std::mt19937 random(42); // NOLINT: the same mutations in every run
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
    for (int round = 0; round < 3000; ++round) {
        stream bad = good;
        for (std::size_t n = 1 + below(4); n > 0; --n) {
            // Most of them where headers are.
            const std::size_t at = below(below(4) == 0 ? bad.size() : 200);
            switch (below(4)) {
            case 0: bad[at] = static_cast<std::byte>(random()); break;
            case 1: bad[at] ^= static_cast<std::byte>(1u << below(8)); break;
            case 2: bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(at)); break;
            default: bad.insert(bad.begin() + static_cast<std::ptrdiff_t>(at), std::byte{0xff});
            }
        }
        for (auto& frame : parse_frames(bad, 1 + below(70'000))) {
            heddle::test::read_body(std::move(frame));
        }
    }
}

} // namespace
