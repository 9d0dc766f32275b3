#include <heddle/detail/atomic.hpp>
#include <heddle/detail/large_buffer.hpp>
#include <heddle/error.hpp>

#include <errno.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace heddle::detail {

namespace {

constexpr std::size_t most_kept = 8;
constexpr std::size_t head_size = 64; // so that elements of any type are aligned behind it

/// What the memory begins with.
struct large_head {
    /// Protocol: 1 from before the memory is lent until the borrower has read it. Only then, and
    /// if no message refers to it, does the lender write to it again. A borrower that dies leaves
    /// 1 behind, and the memory is not used again.
    atomic<std::uint32_t> lent;
};

large_head& head_of(const shared_memory& memory) noexcept {
    return *reinterpret_cast<large_head*>(memory.data());
}

/// Memory that its maker fills again and again.
class lent_memory {
public:
    explicit lent_memory(std::size_t count) : memory_(head_size + count) {}

    const shared_descriptor& file() const noexcept { return memory_.file(); }
    std::size_t size() const noexcept { return memory_.size(); }
    bool fits(std::size_t count) const noexcept {
        // A forked copy of this process has the same memory, but it is the parent's.
        // acquire: the borrower has read what we are about to overwrite; pairs with ~large_view().
        return memory_.size() - head_size >= count && maker_ == getpid() &&
               head_of(memory_).lent.load(std::memory_order_acquire) == 0;
    }
    /// False if the system has no memory for it.
    bool fill(std::span<const std::byte> bytes) noexcept {
        if (has_pages_) {
            std::memcpy(memory_.data() + head_size, bytes.data(), bytes.size());
        } else {
            // Cheaper than page faults, and without memory it fails, where a fault would kill.
            if (!write_all(bytes)) return false;
            has_pages_ = true;
        }
        // relaxed: the borrower gets the descriptor through the kernel, after this.
        head_of(memory_).lent.store(1, std::memory_order_relaxed);
        return true;
    }

private:
    bool write_all(std::span<const std::byte> bytes) noexcept {
        for (std::size_t done = 0; done < bytes.size();) {
            const ssize_t put = pwrite(memory_.file()->get(),
                                       bytes.data() + done,
                                       bytes.size() - done,
                                       static_cast<off_t>(head_size + done));
            if (put < 0 && errno == EINTR) continue;
            if (put <= 0) return false;
            done += static_cast<std::size_t>(put);
        }
        return true;
    }

    shared_memory memory_;
    pid_t maker_ = getpid();
    bool has_pages_ = false;
};

/// Memory that no message refers to. Never destroyed, since messages may outlive static objects.
///
/// Nobody waits for the lock: a child that was forked while it was held does without.
struct shelf {
    std::mutex mutex;
    std::vector<std::unique_ptr<lent_memory>> kept; ///< oldest first
};
shelf& the_shelf() {
    static shelf* const made = new shelf;
    return *made;
}

/// Where memory goes with the last message that refers to it.
void put_back(lent_memory* memory) noexcept {
    std::unique_ptr<lent_memory> back(memory), oldest; // freed without the lock
    shelf& s = the_shelf();
    const std::unique_lock lock(s.mutex, std::try_to_lock);
    if (!lock) return;
    if (s.kept.size() == most_kept) {
        oldest = std::move(s.kept.front());
        s.kept.erase(s.kept.begin());
    }
    // Nothing may be allocated here. There is room, made by take(), unless drop_large() came since.
    if (s.kept.size() < s.kept.capacity()) s.kept.push_back(std::move(back));
}

/// The smallest that is large enough, or new memory.
std::unique_ptr<lent_memory> take(std::size_t count) {
    shelf& s = the_shelf();
    if (const std::unique_lock lock(s.mutex, std::try_to_lock); lock) {
        s.kept.reserve(most_kept);
        std::unique_ptr<lent_memory>* best = nullptr;
        for (auto& each : s.kept) {
            if (each->fits(count) && (!best || each->size() < (*best)->size())) best = &each;
        }
        if (best) {
            std::unique_ptr<lent_memory> found = std::move(*best);
            s.kept.erase(s.kept.begin() + (best - s.kept.data()));
            return found;
        }
    }
    return std::make_unique<lent_memory>(count);
}

} // namespace

shared_descriptor lend_large(std::span<const std::byte> bytes) {
    try {
        std::shared_ptr<lent_memory> memory(take(bytes.size()).release(), &put_back);
        if (!memory->fill(bytes)) return nullptr;
        const descriptor* const file = memory->file().get();
        return {std::move(memory), file};
    } catch (const std::system_error&) {
        return nullptr;
    }
}

bool keeps_large() noexcept {
    const std::unique_lock lock(the_shelf().mutex, std::try_to_lock);
    return lock && !the_shelf().kept.empty();
}

void drop_large() noexcept {
    std::vector<std::unique_ptr<lent_memory>> dropped; // freed without the lock
    const std::unique_lock lock(the_shelf().mutex, std::try_to_lock);
    if (lock) dropped.swap(the_shelf().kept);
}

void expect_large(void* memory, std::size_t count) noexcept {
    // Whole large pages only: what lies around this memory is not ours. No matter if it is refused.
    constexpr std::uintptr_t page = std::uintptr_t{2} << 20;
    const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(memory);
    const std::uintptr_t first = (begin + page - 1) / page * page,
                         last = (begin + count) / page * page;
    if (first < last) {
        (void)madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
    }
}

large_view::large_view(shared_descriptor lent, std::size_t count) : memory_(std::move(lent), true) {
    if (memory_.size() < head_size || memory_.size() - head_size < count) {
        throw error("the other process lent " + std::to_string(memory_.size()) + " bytes where " +
                    std::to_string(count) + " were expected; save and load of a type differ");
    }
    bytes_ = {memory_.data() + head_size, count};
}

large_view::~large_view() {
    // release: what was read has been read; pairs with fits().
    if (memory_.data()) head_of(memory_).lent.store(0, std::memory_order_release);
}

} // namespace heddle::detail
