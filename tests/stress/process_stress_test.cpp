/// A thousand pools, queues and processes: nothing of them stays behind.
#include <heddle/mp.hpp>
#include <heddle/process_pool.hpp>

#include <dirent.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

namespace mp = heddle::mp;

namespace {

int descriptors_open() {
    DIR* const all = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(all)) ++count;
    closedir(all);
    return count;
}

void one_round(int i) {
    mp::queue<int> q(4);
    mp::shared_value<int> sum;
    heddle::process_pool pool(1);
    const auto work = [](int n, mp::queue<int> to, mp::shared_value<int> s) {
        if (n % 3 == 0) std::raise(SIGKILL);
        to.put(n);
        s.fetch_add(n);
    };
    const heddle::future<void> f = pool.submit(work, i, q, sum);
    if (i % 3 == 0) {
        EXPECT_THROW(f.result(), heddle::broken_process_pool_error);
        return;
    }
    f.result();
    EXPECT_EQ(q.get(), i);
    EXPECT_EQ(sum.load(), i);
}

TEST(ProcessStress, AThousandPoolsLeaveNoDescriptorNoZombieAndNoMemory) {
    one_round(1);
    const int before = descriptors_open(); // every memfd has one
    for (int i = 0; i < 1000; ++i) one_round(i);
    EXPECT_EQ(descriptors_open(), before);
    siginfo_t info{};
    EXPECT_EQ(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    EXPECT_EQ(errno, ECHILD);
}

} // namespace
