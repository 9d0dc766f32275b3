/// Fault F66: a processor quota that is smaller than the machine.
#include <heddle/thread_pool.hpp>

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

namespace {

/// The control groups that this process seems to be in while it is not null: files by name.
const std::map<std::string, std::string>* pretended = nullptr;

} // namespace

/// In place of the C library's, which file streams use.
extern "C" std::FILE* fopen64(const char* name, const char* mode) {
    const std::string_view path(name);
    if (pretended && (path.starts_with("/sys/fs/cgroup") || path == "/proc/self/cgroup")) {
        const auto found = pretended->find(name);
        if (found == pretended->end()) return nullptr;
        std::FILE* const file = std::tmpfile();
        std::fwrite(found->second.data(), 1, found->second.size(), file);
        std::rewind(file);
        return file;
    }
    using function = std::FILE* (*)(const char*, const char*);
    static const auto real = reinterpret_cast<function>(dlsym(RTLD_NEXT, "fopen64"));
    return real(name, mode);
}

namespace {

/// What available_parallelism() says in these control groups.
int processors_in(const std::map<std::string, std::string>& files) {
    pretended = &files;
    const int found = heddle::available_parallelism();
    pretended = nullptr;
    return found;
}

class Quota : public testing::Test {
protected:
    void SetUp() override {
        cpu_set_t mask;
        ASSERT_EQ(sched_getaffinity(0, sizeof mask, &mask), 0);
        all = CPU_COUNT(&mask);
        if (all < 2) GTEST_SKIP() << "one processor is the least in any case";
    }
    int all = 0;
};

TEST_F(Quota, F66TheDefaultFollowsTheQuotaOfTheGroupAndItsParents) {
    const auto with = [&](const char* own, const char* parents) {
        return processors_in({{"/proc/self/cgroup", "0::/outer/own\n"},
                              {"/sys/fs/cgroup/outer/own/cpu.max", own},
                              {"/sys/fs/cgroup/outer/cpu.max", parents}});
    };
    EXPECT_EQ(with("max 100000", "max 100000"), all);
    EXPECT_EQ(with("100000 100000", "max 100000"), 1);
    EXPECT_EQ(with("max 100000", "50000 50000"), 1);
    EXPECT_EQ(with("199000 100000", "max 100000"), 1); // two busy workers would be throttled
    EXPECT_EQ(with("20000 100000", "max 100000"), 1);
    EXPECT_EQ(with("200000 100000", "9900000 100000"), std::min(all, 2));
    EXPECT_EQ(with("9900000 100000", "max 100000"), std::min(all, 99));
}

TEST_F(Quota, F66TheOlderFilesAreReadToo) {
    const auto with = [&](const char* quota) {
        return processors_in({{"/proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/box\n"},
                              {"/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", quota},
                              {"/sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "50000"}});
    };
    EXPECT_EQ(with("-1"), all);
    EXPECT_EQ(with("50000"), 1);
    EXPECT_EQ(with("100000"), std::min(all, 2));
}

TEST_F(Quota, F66FilesThatMakeNoSenseLimitNothing) {
    EXPECT_EQ(processors_in({}), all);
    EXPECT_EQ(processors_in({{"/proc/self/cgroup", "0:\n::::\n0::no-slash\n\n"}}), all);
    EXPECT_EQ(processors_in(
                  {{"/proc/self/cgroup", "0::/x\n"}, {"/sys/fs/cgroup/x/cpu.max", "many 100000"}}),
              all);
    EXPECT_EQ(
        processors_in({{"/proc/self/cgroup", "0::/x\n"}, {"/sys/fs/cgroup/x/cpu.max", "100000 0"}}),
        all);
}

TEST_F(Quota, F66APoolTakesItAsItsNumberOfWorkers) {
    const std::map<std::string, std::string> files{{"/proc/self/cgroup", "0::/x\n"},
                                                   {"/sys/fs/cgroup/x/cpu.max", "100000 100000"}};
    pretended = &files;
    const heddle::thread_pool pool;
    pretended = nullptr;
    EXPECT_EQ(pool.worker_count(), 1);
}

} // namespace
