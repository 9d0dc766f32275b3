/// The queue between processes. README.md ("What processes share") says why it stays whole.
#include "../core/spinning.hpp"
#include "robust_mutex.hpp"

#include <heddle/detail/parking.hpp>
#include <heddle/detail/shared_memory.hpp>
#include <heddle/error.hpp>

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace heddle::detail {

namespace {
constexpr std::size_t page = 4096;
constexpr std::size_t first_segment = 64 * 1024; ///< bytes; every further one doubles
constexpr std::uint64_t most_items = UINT32_MAX;

/// How many items are queued, and how many were put and are not done: one word, so that a death
/// never leaves one of them counted and the other not.
struct tally {
    std::uint32_t size = 0, unfinished = 0;
    static tally from(std::uint64_t word) noexcept {
        return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
    }
    std::uint64_t word() const noexcept {
        return size | (static_cast<std::uint64_t>(unfinished) << 32);
    }
};
} // namespace

/// Items are chains of blocks, numbered from 1; 0 is none.
struct shared_queue::block {
    /// Protocol: stored with the lock held; makes a whole item part of the queue.
    atomic<std::uint32_t> next_item;
    std::uint32_t next;   ///< of this item, or of the free ones
    std::uint32_t length; ///< of the item, in bytes; in its first block
    std::uint32_t in_use; ///< used by repair only
    std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

/// Protocol of the atomic members: stored with the mutex held, in the order that repair() relies
/// on; `counts` and `limit` are also read without it, as a snapshot.
struct shared_queue::control {
    robust_mutex mutex;
    shared_signal getters, putters, joiners;
    std::uint64_t limit = 0;
    std::uint32_t block_size = 0;
    std::uint32_t blocks_first = 0; ///< how many are in the first segment, a power of two
    std::uint32_t segments = 0;     ///< how many the file has
    std::uint32_t fresh = 1;        ///< the first block that was never used
    std::uint32_t free = 0;
    std::uint32_t tail = 0;
    atomic<std::uint32_t> head{0};
    atomic<std::uint64_t> counts{0};
    atomic<std::uint32_t> shut_down{0};
    atomic<std::uint32_t> dropping{0}; ///< shutdown(immediate) has begun and not ended

    std::size_t room_in_block() const noexcept { return block_size - sizeof(block); }
    tally counted() const noexcept { return tally::from(counts.load()); }
};

/// The lock, taken and given back.
class shared_queue::access {
public:
    explicit access(shared_queue& to) : queue_(to) { lock(); }
    ~access() { queue_.head().mutex.unlock(); }
    access(const access&) = delete;
    access& operator=(const access&) = delete;

    /// Gives the lock back and waits for `side` to be woken; false if the deadline has passed.
    bool wait(shared_signal& side, deadline limit) {
        if (limit.passed()) return false;
        const std::uint32_t seen = side.about_to_sleep();
        queue_.head().mutex.unlock();
        side.sleep(seen, limit);
        lock();
        return true;
    }

private:
    void lock() {
        if (!queue_.head().mutex.lock()) return;
        queue_.repair();
        queue_.head().mutex.mended();
    }
    shared_queue& queue_;
};

shared_queue::shared_queue(std::size_t capacity, std::size_t item_size) : control_(page) {
    static_assert(sizeof(control) <= page);
    if (capacity > static_cast<std::size_t>(PTRDIFF_MAX)) {
        throw std::invalid_argument("mp::queue: capacity is " + std::to_string(capacity) +
                                    ", but must be in 0.." + std::to_string(PTRDIFF_MAX) +
                                    " (0: unbounded); was a negative number passed?");
    }
    auto* const made = new (control_.data()) control;
    made->mutex.initialise();
    made->limit = capacity == 0 ? most_items : std::min<std::uint64_t>(capacity, most_items);
    const std::size_t wanted = sizeof(block) + (item_size + 7) / 8 * 8;
    made->block_size = item_size == 0 ? 256 : static_cast<std::uint32_t>(std::min(wanted, page));
    made->blocks_first =
        static_cast<std::uint32_t>(std::bit_floor(first_segment / made->block_size));
}

shared_queue::shared_queue(shared_descriptor made) : control_(std::move(made)) {}

shared_queue::~shared_queue() {
    for (std::size_t i = 0; i < most_segments; ++i) {
        if (segments_[i]) munmap(segments_[i], first_segment << i);
    }
}

shared_queue::control& shared_queue::head() const noexcept {
    return *std::launder(reinterpret_cast<control*>(control_.data()));
}

// --- blocks ------------------------------------------------------------------------------------

/// Segment k holds `blocks_first << k` blocks and begins where the ones before it end.
shared_queue::block& shared_queue::at(std::uint32_t index) {
    const control& c = head();
    const std::uint32_t place = index - 1, first = c.blocks_first;
    const auto k = static_cast<std::size_t>(std::bit_width(place / first + 1) - 1);
    if (!segments_[k]) {
        const auto from = static_cast<off_t>(page + first_segment * ((std::size_t{1} << k) - 1));
        void* const mapped = mmap(nullptr,
                                  first_segment << k,
                                  PROT_READ | PROT_WRITE,
                                  MAP_SHARED,
                                  control_.file()->get(),
                                  from);
        if (mapped == MAP_FAILED) {
            throw std::system_error(
                errno, std::generic_category(), "mp::queue: cannot map what it has grown by");
        }
        segments_[k] = static_cast<std::byte*>(mapped);
    }
    const std::size_t within = place - first * ((std::size_t{1} << k) - 1);
    return *reinterpret_cast<block*>(segments_[k] + within * c.block_size);
}

std::uint32_t shared_queue::take_block(access&) {
    control& c = head();
    if (c.free != 0) {
        return std::exchange(c.free, at(c.free).next);
    }
    const auto total = std::uint64_t{c.blocks_first} * ((std::uint64_t{1} << c.segments) - 1);
    if (c.fresh > total) {
        const auto size = page + first_segment * ((std::size_t{2} << c.segments) - 1);
        if (total > UINT32_MAX / 4 || ftruncate(control_.file()->get(), static_cast<off_t>(size))) {
            throw std::bad_alloc();
        }
        ++c.segments;
    }
    at(c.fresh); // maps it, or throws
    return c.fresh++;
}

void shared_queue::free_blocks(std::uint32_t first) noexcept {
    control& c = head();
    while (first != 0) {
        block& each = at(first);
        const std::uint32_t next = each.next;
        each.next = c.free;
        c.free = first;
        first = next;
    }
}

/// Copies an item into blocks that are not part of the queue yet; returns the first.
std::uint32_t shared_queue::store(access& held, std::span<const std::byte> item) {
    if (item.size() > UINT32_MAX) {
        throw std::invalid_argument("mp::queue: the item has " + std::to_string(item.size()) +
                                    " bytes; 4294967295 are the limit");
    }
    const std::size_t room = head().room_in_block();
    std::uint32_t first = 0, last = 0;
    try {
        for (std::size_t done = 0; first == 0 || done < item.size();) {
            const std::uint32_t index = take_block(held);
            block& each = at(index);
            each.next = 0;
            if (first == 0) first = index;
            else at(last).next = index;
            last = index;
            const std::size_t count = std::min(room, item.size() - done);
            if (count != 0) std::memcpy(each.bytes(), item.data() + done, count);
            done += count;
        }
    } catch (...) {
        free_blocks(first);
        throw;
    }
    block& begin = at(first);
    begin.length = static_cast<std::uint32_t>(item.size());
    begin.next_item.store(0);
    return first;
}

// --- putting and getting -----------------------------------------------------------------------

bool shared_queue::put(std::span<const std::byte> item, deadline limit) {
    control& c = head();
    access held(*this);
    while (c.shut_down.load() == 0 && c.counted().size >= c.limit) {
        if (!held.wait(c.putters, limit)) return false;
    }
    if (c.shut_down.load() != 0) throw_shut_down("put");
    if (c.counted().unfinished == most_items) throw queue_full_error();
    const std::uint32_t made = store(held, item);
    c.getters.wake_all();
    if (c.head.load() == 0) c.head.store(made); // from here on it is part of the queue
    else at(c.tail).next_item.store(made);
    tally now = c.counted();
    c.counts.store(tally{now.size + 1, now.unfinished + 1}.word());
    c.tail = made;
    return true;
}

/// `room(length)` says where the item is to be copied to; what it throws leaves the item queued.
template <class Room>
shared_queue::taken shared_queue::take(deadline limit, Room room) {
    control& c = head();
    if (size() == 0 && !limit.passed() && spinning_helps()) {
        spin_limit spinning(std::chrono::microseconds(10)); // a sleep costs 30 and more
        while (size() == 0 && !spinning.reached()) pause();
    }
    access held(*this);
    while (c.head.load() == 0) {
        if (c.shut_down.load() != 0) return taken::ended;
        if (!held.wait(c.getters, limit)) return taken::nothing;
    }
    const std::uint32_t first = c.head.load();
    const std::size_t length = at(first).length;
    std::byte* const into = room(length);
    std::uint32_t each = first;
    for (std::size_t done = 0; done < length; each = at(each).next) {
        const std::size_t count = std::min(c.room_in_block(), length - done);
        std::memcpy(into + done, at(each).bytes(), count);
        done += count;
    }
    c.putters.wake_all();
    c.head.store(at(first).next_item.load()); // from here on it is the caller's
    tally now = c.counted();
    c.counts.store(tally{now.size - 1, now.unfinished}.word());
    free_blocks(first);
    return taken::item;
}

shared_queue::taken shared_queue::get(void* into, std::size_t size, deadline limit) {
    return take(limit, [&](std::size_t length) {
        if (length != size) throw error("mp::queue: the peer has another type of item");
        return static_cast<std::byte*>(into);
    });
}

shared_queue::taken shared_queue::get(reader& into, deadline limit) {
    std::unique_ptr<std::byte[]> body;
    frame_header about;
    const taken how = take(limit, [&](std::size_t length) {
        about.length = length;
        body = std::make_unique_for_overwrite<std::byte[]>(length);
        return body.get();
    });
    if (how == taken::item) into = reader(about, std::move(body), {});
    return how;
}

// --- counting and ending -----------------------------------------------------------------------

bool shared_queue::finish_one(access&) {
    control& c = head();
    const tally now = c.counted();
    if (now.unfinished == 0) return false;
    if (now.unfinished == 1) c.joiners.wake_all();
    c.counts.store(tally{now.size, now.unfinished - 1}.word());
    return true;
}

void shared_queue::task_done() {
    access held(*this);
    if (finish_one(held)) return;
    throw invalid_state_error("task_done: called more often than items were put into the queue; "
                              "call it once for each item taken");
}

void shared_queue::task_done_quietly() noexcept {
    access held(*this);
    finish_one(held);
}

void shared_queue::join() {
    control& c = head();
    access held(*this);
    while (c.counted().unfinished != 0) held.wait(c.joiners, deadline::never());
}

void shared_queue::shutdown(bool drop) {
    control& c = head();
    access held(*this);
    c.getters.wake_all();
    c.putters.wake_all();
    if (drop) c.joiners.wake_all();
    c.shut_down.store(1);
    if (!drop) return;
    c.dropping.store(1);
    repair();
}

/// Makes the queue whole after a death at any point: what hangs on `head` are its items, all else
/// follows. Also drops all items if that has been begun. May itself be interrupted and run again.
void shared_queue::repair() noexcept {
    control& c = head();
    tally now = c.counted();
    if (c.dropping.load() != 0) {
        c.head.store(0);
        c.counts.store(tally{0, now.unfinished - std::min(now.unfinished, now.size)}.word());
        c.dropping.store(0);
    }
    for (std::uint32_t i = 1; i < c.fresh; ++i) at(i).in_use = 0;
    std::uint32_t size = 0, tail = 0;
    for (std::uint32_t item = c.head.load(); item != 0; item = at(item).next_item.load()) {
        for (std::uint32_t each = item; each != 0; each = at(each).next) at(each).in_use = 1;
        tail = item;
        ++size;
    }
    c.tail = tail;
    c.free = 0;
    for (std::uint32_t i = c.fresh - 1; i > 0; --i) {
        if (at(i).in_use == 1) continue;
        at(i).next = c.free;
        c.free = i;
    }
    now = c.counted();
    if (size > now.size) ++now.unfinished; // a put had come in and was not counted
    c.counts.store(tally{size, now.unfinished}.word());
}

std::size_t shared_queue::size() const noexcept {
    return head().counted().size;
}

bool shared_queue::full() const noexcept {
    return size() >= head().limit;
}

std::size_t shared_queue::capacity() const noexcept {
    return head().limit == most_items ? 0 : head().limit;
}

void shared_queue::throw_shut_down(const char* verb) {
    throw queue_shut_down_error(std::string(verb) + ": the queue has been shut down");
}

} // namespace heddle::detail
