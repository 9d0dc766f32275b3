#include "robust_mutex.hpp"

#include <heddle/detail/shared_memory.hpp>

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

namespace heddle::detail {

namespace {
[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}
} // namespace

shared_memory::shared_memory(std::size_t size) : size_(size) {
    const int fd = memfd_create("heddle", MFD_CLOEXEC);
    if (fd < 0) fail("heddle: cannot make shared memory");
    file_ = std::make_shared<const descriptor>(fd);
    if (ftruncate(fd, static_cast<off_t>(size)) != 0) fail("heddle: cannot size shared memory");
    map(false);
}

shared_memory::shared_memory(shared_descriptor made, bool now) : file_(std::move(made)) {
    struct stat about{};
    if (fstat(file_->get(), &about) != 0) fail("heddle: cannot look at shared memory");
    size_ = static_cast<std::size_t>(about.st_size);
    map(now);
}

void shared_memory::map(bool now) {
    const int flags = MAP_SHARED | (now ? MAP_POPULATE : 0);
    void* const at = mmap(nullptr, size_, PROT_READ | PROT_WRITE, flags, file_->get(), 0);
    if (at == MAP_FAILED) fail("heddle: cannot map shared memory");
    data_ = static_cast<std::byte*>(at);
}

shared_memory::shared_memory(shared_memory&& other) noexcept
    : file_(std::move(other.file_)), data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

shared_memory& shared_memory::operator=(shared_memory&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

shared_memory::~shared_memory() {
    if (data_) munmap(data_, size_);
}

std::size_t checked_size(std::size_t count, std::size_t each) {
    const auto most = static_cast<std::size_t>(PTRDIFF_MAX) / each;
    if (count > most) {
        throw std::invalid_argument("shared_array: the size is " + std::to_string(count) +
                                    ", but must be in 0.." + std::to_string(most) +
                                    "; was a negative number passed?");
    }
    return count * each;
}

// --- one value ---------------------------------------------------------------------------------

struct shared_cell::control {
    robust_mutex mutex;
    /// Protocol: which slot counts; stored with the lock held, once the slot is complete.
    atomic<std::uint32_t> current{0};
};

namespace {
constexpr std::size_t rounded(std::size_t size) {
    return (size + shared_cell::most_aligned - 1) / shared_cell::most_aligned *
           shared_cell::most_aligned;
}
} // namespace

shared_cell::shared_cell(std::size_t value_size, const void* initial)
    : memory_(rounded(sizeof(control)) + 2 * rounded(value_size)), value_size_(value_size) {
    (new (memory_.data()) control)->mutex.initialise();
    std::memcpy(slot(0), initial, value_size);
}

shared_cell::shared_cell(std::size_t value_size, shared_descriptor made)
    : memory_(std::move(made)), value_size_(value_size) {}

shared_cell::control& shared_cell::head() const noexcept {
    return *std::launder(reinterpret_cast<control*>(memory_.data()));
}

void* shared_cell::slot(std::uint32_t index) const noexcept {
    return memory_.data() + rounded(sizeof(control)) + index * rounded(value_size_);
}

shared_cell::access::access(const shared_cell& to) : cell_(to) {
    // Nothing to mend: what a dead holder wrote is in the slot that does not count.
    if (to.head().mutex.lock()) to.head().mutex.mended();
}

shared_cell::access::~access() {
    cell_.head().mutex.unlock();
}

void* shared_cell::access::value() const noexcept {
    return cell_.slot(cell_.head().current.load());
}

void* shared_cell::access::draft() const noexcept {
    void* const draft = cell_.slot(1 - cell_.head().current.load());
    std::memcpy(draft, value(), cell_.value_size_);
    return draft;
}

void shared_cell::access::publish() noexcept {
    cell_.head().current.store(1 - cell_.head().current.load());
}

} // namespace heddle::detail
