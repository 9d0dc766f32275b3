/// How many threads can really run at once: the affinity mask and the cgroup quota.
#include <heddle/thread_pool.hpp>

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

namespace heddle {

namespace {

int processors_in_mask() {
    // The mask of a large machine does not fit into one cpu_set_t.
    for (int size = CPU_SETSIZE; size <= 1 << 20; size *= 2) {
        cpu_set_t* const set = CPU_ALLOC(static_cast<std::size_t>(size));
        if (!set) break;
        const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(size));
        const bool read = sched_getaffinity(0, bytes, set) == 0;
        const int count = read ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (read) return count;
    }
    return static_cast<int>(std::thread::hardware_concurrency());
}

/// The smallest quota, in processors, of the cgroup at `path` below `root` and of its parents.
/// Reads "cpu.max" (version 2) or the pair of files of version 1; no quota counts as very many.
double smallest_quota(const std::string& root, std::string path, bool version_2) {
    double smallest = 1e9;
    for (;;) {
        const std::string folder = root + path + '/';
        double quota = -1;
        double period = 0;
        if (version_2) {
            std::ifstream file(folder + "cpu.max");
            std::string first;
            if (file >> first >> period && first != "max") quota = std::stod(first);
        } else {
            std::ifstream(folder + "cpu.cfs_quota_us") >> quota;
            std::ifstream(folder + "cpu.cfs_period_us") >> period;
        }
        if (quota > 0 && period > 0) smallest = std::min(smallest, quota / period);
        if (path.empty() || path == "/") return smallest;
        path.resize(path.find_last_of('/'));
    }
}

double processors_in_quota() {
    double smallest = 1e9;
    std::ifstream groups("/proc/self/cgroup");
    // Lines are "0::/path" in version 2, "4:cpu,cpuacct:/path" in version 1.
    for (std::string line; std::getline(groups, line);) {
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const std::string path = line.substr(second + 1);
        if (controllers.empty()) {
            smallest = std::min(smallest, smallest_quota("/sys/fs/cgroup", path, true));
        } else if ((',' + controllers + ',').find(",cpu,") != std::string::npos) {
            smallest = std::min(smallest, smallest_quota("/sys/fs/cgroup/cpu", path, false));
        }
    }
    return smallest;
}

} // namespace

int available_parallelism() {
    double quota = 1e9;
    try {
        quota = processors_in_quota();
    } catch (const std::exception&) {
        // An unreadable or odd quota file limits nothing.
    }
    // A part of a processor is no processor: with 1.5 two busy workers would be throttled.
    return std::max(1, std::min(processors_in_mask(), static_cast<int>(quota)));
}

} // namespace heddle
