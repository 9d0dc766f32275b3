// Timers as descriptors, and waits with limits: on the virtual clock they take no time.
#include <poll.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cassert>
#include <chrono>
#include <cstdint>
#include <thread>

int main() {
    using clock = std::chrono::steady_clock;
    const auto start = clock::now();
    const int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    const itimerspec every{{0, 100'000'000}, {3600, 0}};
    assert(timerfd_settime(timer, 0, &every, nullptr) == 0);
    itimerspec left{};
    assert(timerfd_gettime(timer, &left) == 0 && left.it_value.tv_sec >= 3000);
    int ends[2];
    assert(pipe(ends) == 0);
    std::thread writer([&] {
        std::this_thread::sleep_for(std::chrono::seconds(2));
        assert(write(ends[1], "x", 1) == 1);
    });
    pollfd both[] = {{timer, POLLIN, 0}, {ends[0], POLLIN, 0}};
    assert(poll(both, 2, -1) == 1 && both[0].revents == 0 && both[1].revents == POLLIN);
    std::uint64_t rang = 0;
    assert(read(timer, &rang, sizeof rang) == sizeof rang && rang >= 1);
    assert(clock::now() - start >= std::chrono::hours(1));
    assert(poll(both, 1, 50) <= 1);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(timer, &set);
    timeval limit{1, 0};
    assert(select(timer + 1, &set, nullptr, nullptr, &limit) == 1 && FD_ISSET(timer, &set));
    const itimerspec never{};
    assert(timerfd_settime(timer, 0, &never, nullptr) == 0 && poll(both, 1, 500) == 0);
    writer.join();
}
