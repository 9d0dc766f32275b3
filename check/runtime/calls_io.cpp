// What goes through file descriptors: its order, the memory that it comes from and goes to.
#include "access.hpp"
#include "descriptors.hpp"
#include "real.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

/// As functions of the C library say what the kernel said.
ssize_t answer(long result) {
    if (result >= 0) return result;
    errno = static_cast<int>(-result);
    return -1;
}

/// The bytes of a list of buffers, as far as `bytes` go.
void access_list(const iovec* list, std::size_t count, std::size_t bytes, bool write, u64 pc) {
    for (std::size_t i = 0; i < count && bytes > 0; ++i) {
        const std::size_t here = list[i].iov_len < bytes ? list[i].iov_len : bytes;
        access_for(list[i].iov_base, here, write, pc);
        bytes -= here;
    }
}

std::size_t whole(const iovec* list, std::size_t count) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) bytes += list[i].iov_len;
    return bytes;
}

/// Something comes out of `fd`, or goes into it: `call` asks the kernel, when it is ready unless it
/// need not wait.
template <class Call>
long pass(op kind, int fd, bool waits, u64 pc, Call call) {
    const bool in = kind == op::input;
    const u64 quiet = quiet_steps();
    descriptor_point(kind, fd, pc);
    const bool in_time = !waits || wait_for_descriptor(fd, in ? POLLIN : POLLOUT, pc);
    if (!in) release_through(fd);
    const long result = in_time ? call() : -EAGAIN;
    if (in && result >= 0) acquire_through(fd);
    if (result == -EAGAIN) still_quiet(quiet);
    wake_ready(); // now there is something for others, or room
    return result;
}

template <class Call>
long take(int fd, bool waits, u64 pc, Call call) {
    return pass(op::input, fd, waits, pc, call);
}

template <class Call>
long give(int fd, bool waits, u64 pc, Call call) {
    return pass(op::output, fd, waits, pc, call);
}

/// A pipe or socket takes what there is room for; a call that blocks goes on until all is through.
long give_all(int fd, const void* data, std::size_t size, u64 pc) {
    const long flags = kernel(SYS_fcntl, fd, F_GETFL);
    const bool waits = flags >= 0 && (flags & O_NONBLOCK) == 0;
    const auto* bytes = static_cast<const char*>(data);
    std::size_t done = 0;
    do {
        const long n = give(fd, waits, pc, [&] {
            if (waits) kernel(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
            const long result =
                kernel(SYS_write, fd, as_long(bytes + done), static_cast<long>(size - done));
            if (waits) kernel(SYS_fcntl, fd, F_SETFL, flags);
            return result;
        });
        if (n <= 0) return done > 0 ? static_cast<long>(done) : n;
        done += static_cast<std::size_t>(n);
    } while (waits && done < size);
    return static_cast<long>(done);
}

bool may_wait(int flags) {
    return (flags & MSG_DONTWAIT) == 0;
}

ssize_t receive(int fd, void* into, std::size_t size, int flags, void* from, void* length, u64 pc) {
    const auto call = [&] {
        return kernel(SYS_recvfrom,
                      fd,
                      as_long(into),
                      static_cast<long>(size),
                      flags,
                      as_long(from),
                      as_long(length));
    };
    if (!has_turn()) return answer(call());
    const long n = take(fd, may_wait(flags), pc, call);
    if (n > 0) access_for(into, static_cast<std::size_t>(n), true, pc);
    return answer(n);
}

ssize_t send_to(int fd,
                const void* data,
                std::size_t size,
                int flags,
                const void* to,
                socklen_t length,
                u64 pc) {
    const auto call = [&] {
        return kernel(SYS_sendto,
                      fd,
                      as_long(data),
                      static_cast<long>(size),
                      flags,
                      as_long(to),
                      static_cast<long>(length));
    };
    if (!has_turn()) return answer(call());
    access_for(data, size, false, pc);
    return answer(give(fd, may_wait(flags), pc, call));
}

ssize_t read_into(int fd, void* into, std::size_t size, u64 pc) {
    const auto call = [&] { return kernel(SYS_read, fd, as_long(into), static_cast<long>(size)); };
    if (!has_turn()) return answer(call());
    const long n = take(fd, true, pc, call);
    if (n > 0) access_for(into, static_cast<std::size_t>(n), true, pc);
    if (n == 0 && fd == 0 && size > 0) note_limit(limit_input);
    return answer(n);
}

ssize_t write_from(int fd, const void* data, std::size_t size, u64 pc) {
    if (!has_turn()) return answer(kernel(SYS_write, fd, as_long(data), static_cast<long>(size)));
    access_for(data, size, false, pc);
    return answer(give_all(fd, data, size, pc));
}

int accept_one(int fd, void* from, void* length, int flags, u64 pc) {
    const auto call = [&] {
        return kernel(SYS_accept4, fd, as_long(from), as_long(length), flags);
    };
    return static_cast<int>(answer(has_turn() ? take(fd, true, pc, call) : call()));
}

} // namespace

HEDDLE_HOOK ssize_t read(int fd, void* into, std::size_t size) {
    return read_into(fd, into, size, PC);
}
HEDDLE_HOOK ssize_t __read_chk(int fd, void* into, std::size_t size, std::size_t) {
    return read_into(fd, into, size, PC);
}
HEDDLE_HOOK ssize_t write(int fd, const void* data, std::size_t size) {
    return write_from(fd, data, size, PC);
}
HEDDLE_HOOK int eventfd_read(int fd, eventfd_t* value) {
    return read_into(fd, value, sizeof *value, PC) == sizeof *value ? 0 : -1;
}
HEDDLE_HOOK int eventfd_write(int fd, eventfd_t value) {
    return write_from(fd, &value, sizeof value, PC) == sizeof value ? 0 : -1;
}
// At a place of the file: nothing to wait for, and no order of what goes in and comes out.
HEDDLE_HOOK ssize_t pread(int fd, void* into, std::size_t size, off_t at) {
    const long n = kernel(SYS_pread64, fd, as_long(into), static_cast<long>(size), at);
    if (n > 0) access_for(into, static_cast<std::size_t>(n), true, PC);
    return answer(n);
}
HEDDLE_HOOK ssize_t pread64(int fd, void* into, std::size_t size, off_t at)
    __attribute__((alias("pread")));
HEDDLE_HOOK ssize_t pwrite(int fd, const void* data, std::size_t size, off_t at) {
    access_for(data, size, false, PC);
    return answer(kernel(SYS_pwrite64, fd, as_long(data), static_cast<long>(size), at));
}
HEDDLE_HOOK ssize_t pwrite64(int fd, const void* data, std::size_t size, off_t at)
    __attribute__((alias("pwrite")));

HEDDLE_HOOK ssize_t readv(int fd, const iovec* list, int count) {
    const auto call = [&] { return kernel(SYS_readv, fd, as_long(list), count); };
    if (!has_turn()) return answer(call());
    const long n = take(fd, true, PC, call);
    if (n > 0)
        access_list(list, static_cast<std::size_t>(count), static_cast<std::size_t>(n), true, PC);
    return answer(n);
}
HEDDLE_HOOK ssize_t writev(int fd, const iovec* list, int count) {
    const auto call = [&] { return kernel(SYS_writev, fd, as_long(list), count); };
    if (!has_turn() || count < 0) return answer(call());
    const auto n = static_cast<std::size_t>(count);
    access_list(list, n, whole(list, n), false, PC);
    return answer(give(fd, true, PC, call));
}

HEDDLE_HOOK ssize_t recv(int fd, void* into, std::size_t size, int flags) {
    return receive(fd, into, size, flags, nullptr, nullptr, PC);
}
HEDDLE_HOOK ssize_t __recv_chk(int fd, void* into, std::size_t size, std::size_t, int flags) {
    return receive(fd, into, size, flags, nullptr, nullptr, PC);
}
HEDDLE_HOOK ssize_t
recvfrom(int fd, void* into, std::size_t size, int flags, sockaddr* from, socklen_t* length) {
    return receive(fd, into, size, flags, from, length, PC);
}
HEDDLE_HOOK ssize_t recvmsg(int fd, msghdr* message, int flags) {
    const auto call = [&] { return kernel(SYS_recvmsg, fd, as_long(message), flags); };
    if (!has_turn()) return answer(call());
    const long n = take(fd, may_wait(flags), PC, call);
    if (n > 0)
        access_list(message->msg_iov, message->msg_iovlen, static_cast<std::size_t>(n), true, PC);
    return answer(n);
}
HEDDLE_HOOK ssize_t send(int fd, const void* data, std::size_t size, int flags) {
    return send_to(fd, data, size, flags, nullptr, 0, PC);
}
HEDDLE_HOOK ssize_t sendto(
    int fd, const void* data, std::size_t size, int flags, const sockaddr* to, socklen_t length) {
    return send_to(fd, data, size, flags, to, length, PC);
}
HEDDLE_HOOK ssize_t sendmsg(int fd, const msghdr* message, int flags) {
    const auto call = [&] { return kernel(SYS_sendmsg, fd, as_long(message), flags); };
    if (!has_turn()) return answer(call());
    const iovec* list = message->msg_iov;
    access_list(list, message->msg_iovlen, whole(list, message->msg_iovlen), false, PC);
    return answer(give(fd, may_wait(flags), PC, call));
}

HEDDLE_HOOK int accept(int fd, sockaddr* from, socklen_t* length) {
    return accept_one(fd, from, length, 0, PC);
}
HEDDLE_HOOK int accept4(int fd, sockaddr* from, socklen_t* length, int flags) {
    return accept_one(fd, from, length, flags, PC);
}
HEDDLE_HOOK int connect(int fd, const sockaddr* to, socklen_t length) {
    const auto call = [&] { return kernel(SYS_connect, fd, as_long(to), length); };
    return static_cast<int>(answer(has_turn() ? give(fd, false, PC, call) : call()));
}
HEDDLE_HOOK int shutdown(int fd, int how) {
    const auto call = [&] { return kernel(SYS_shutdown, fd, how); };
    return static_cast<int>(answer(has_turn() ? give(fd, false, PC, call) : call()));
}
HEDDLE_HOOK int close(int fd) {
    const auto call = [&] { return kernel(SYS_close, fd); };
    if (!has_turn()) return static_cast<int>(answer(call()));
    const long result = give(fd, false, PC, call);
    note_internal(fd, false);
    return static_cast<int>(answer(result));
}
