/// The memory of task objects: sizes, alignment, and that none is lost between threads.
#include "support/sanitizers.hpp"

#include <heddle/detail/slab.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <utility>
#include <vector>

using heddle::detail::slab_allocate;
using heddle::detail::slab_free;

namespace {

TEST(Slab, GivesDistinctAlignedMemoryOfEachSize) {
    for (const std::size_t alignment : {8u, 16u, 64u, 128u}) {
        for (std::size_t size : {1u, 63u, 64u, 65u, 128u, 129u, 256u, 257u, 5000u}) {
            std::vector<void*> cells;
            for (int i = 0; i < 200; ++i) {
                void* const cell = slab_allocate(size, alignment);
                EXPECT_EQ(reinterpret_cast<std::uintptr_t>(cell) % alignment, 0u);
                std::memset(cell, i, size);
                cells.push_back(cell);
            }
            EXPECT_EQ(std::set<void*>(cells.begin(), cells.end()).size(), 200u);
            for (std::size_t i = 0; i < cells.size(); ++i) {
                const auto* bytes = static_cast<const unsigned char*>(cells[i]);
                EXPECT_EQ(bytes[0], i);
                EXPECT_EQ(bytes[size - 1], i);
                slab_free(cells[i], size, alignment);
            }
        }
    }
}

/// Counts the different addresses among `rounds` of cells that one thread takes and another frees.
std::size_t addresses_used(int rounds) {
    std::set<void*> seen;
    for (int round = 0; round < rounds; ++round) {
        std::vector<void*> cells;
        for (int i = 0; i < 60; ++i) cells.push_back(slab_allocate(64, 8));
        seen.insert(cells.begin(), cells.end());
        std::thread([&] {
            for (void* cell : cells) slab_free(cell, 64, 8);
        }).join();
    }
    return seen.size();
}

TEST(Slab, ThreadsThatOnlyFreeGiveTheCellsBackWhenTheyEnd) {
    if (heddle::test::sanitized) GTEST_SKIP() << "under a sanitizer cells come from the heap";
    EXPECT_LE(addresses_used(200), 1000u);
}

/// Frees a cell when its thread ends, after the thread's own stock was given back.
struct frees_late {
    void* cell = nullptr;
    ~frees_late() {
        if (cell) slab_free(cell, 64, 8);
    }
};
thread_local frees_late late;

TEST(Slab, CellsFreedAtTheVeryEndOfAThreadAreNotLost) {
    if (heddle::test::sanitized) GTEST_SKIP() << "under a sanitizer cells come from the heap";
    std::set<void*> seen;
    for (int round = 0; round < 200; ++round) {
        void* const cell = slab_allocate(64, 8);
        seen.insert(cell);
        std::thread([&] {
            late.cell = cell; // made before the slab's own thread-local, so destroyed after it
            slab_free(slab_allocate(64, 8), 64, 8);
        }).join();
    }
    EXPECT_LE(seen.size(), 190u);
}

} // namespace
