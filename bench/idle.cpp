/// Does a pool without work wake up?
///
/// Voluntary context switches of all threads but this one, in a second that begins 300 ms after the
/// pool's last task. The CPU time is the whole process's in that second.
#include "peers/all.hpp"
#include "support.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace {

long wake_ups_of_others() {
    const std::string own = std::to_string(gettid());
    const std::string field = "voluntary_ctxt_switches:";
    long sum = 0;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
        if (thread.path().filename() == own) continue;
        std::ifstream status(thread.path() / "status");
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with(field)) sum += std::stol(line.substr(field.size()));
        }
    }
    return sum;
}

template <class Pool>
void measure(benchmark::State& state) {
    using namespace std::chrono_literals;
    Pool pool(bench::workers);
    const std::uint64_t before = bench::tally::total();
    for (int i = 0; i < 1000; ++i) pool.post([] { bench::tally::add(); });
    bench::tally::wait_for(before + 1000);
    std::this_thread::sleep_for(300ms);
    long woken = 0;
    for (auto _ : state) {
        woken = -wake_ups_of_others();
        std::this_thread::sleep_for(1s);
        woken += wake_ups_of_others();
    }
    bench::set_items(state, 1);
    state.counters["value"] = static_cast<double>(woken);
}

} // namespace

int main(int argc, char** argv) {
    bench::for_each_pool([]<class Pool>() { bench::add("idle", Pool::name, &measure<Pool>); });
    return bench::run(argc, argv);
}
