/// Feeds bytes to the frame parser as a hostile peer would; shared by the fuzzer and its short run.
#pragma once

#include "../../src/process/frame.hpp"

#include <heddle/error.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <vector>

namespace heddle::test {

/// Sends `bytes` in pieces of `piece` bytes through a socket, and returns the frames that came out
/// of it. Ends the program if the parser makes more of the bytes than there are. What it refuses
/// ends the stream.
inline std::vector<detail::reader> parse_frames(std::span<const std::byte> bytes,
                                                std::size_t piece) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    const detail::descriptor theirs(ends[0]), ours(ends[1]);
    detail::frame_source source;
    std::vector<detail::reader> frames;
    std::size_t announced = 0;
    try {
        for (std::size_t at = 0; at < bytes.size();) {
            const auto part = bytes.subspan(at, std::min(piece, bytes.size() - at));
            if (write(theirs.get(), part.data(), part.size()) < 0) std::abort();
            at += part.size();
            for (std::size_t reads = 2 + part.size() / 32'768; reads > 0; --reads) {
                if (!source.pump(ours.get(), false)) std::abort();
            }
            while (auto frame = source.next()) {
                announced += sizeof(detail::frame_header) + frame->head().length;
                if (announced > at || frame->left() != frame->head().length) std::abort();
                frames.push_back(std::move(*frame));
            }
        }
    } catch (const error&) { // the pool ends the worker then
    }
    return frames;
}

/// Reads what is in a frame as each of its kinds would be read.
inline void read_body(detail::reader frame) {
    try {
        switch (static_cast<detail::frame_kind>(frame.head().kind)) {
        case detail::frame_kind::refused: detail::take_text(frame); return;
        case detail::frame_kind::ended:
            if (frame.take_value<std::uint8_t>() != 0) detail::decode_failure(frame);
            return;
        default: frame.rest(); return;
        }
    } catch (const error&) {
    }
}

} // namespace heddle::test
