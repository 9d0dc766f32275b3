/// A libFuzzer target for the frame parser: build/clang/tests/heddle_fuzz_frames -max_total_time=60
#include "fuzz/frames.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::span bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
    for (auto& frame : heddle::test::parse_frames(bytes, std::size_t{1} + data[0] * 17u)) {
        heddle::test::read_body(std::move(frame));
    }
    return 0;
}
