/// How much memory does a queued task take?
///
/// The growth of the resident set while 1,000,000 posts, or 500,000 futures, are queued behind
/// tasks that keep all workers. The vector of handles exists before. Each measurement is a process
/// of its own, so that no memory freed by another one hides the growth.
#include "peers/all.hpp"
#include "support.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <latch>

namespace {

double resident_bytes() {
    long total = 0;
    long resident = 0;
    std::FILE* file = std::fopen("/proc/self/statm", "r");
    const bool read = file && std::fscanf(file, "%ld %ld", &total, &resident) == 2;
    if (file) std::fclose(file);
    return read ? static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) : -1;
}

struct held_workers {
    std::latch held{bench::workers}, never{1};
    template <class Pool>
    explicit held_workers(Pool& pool) {
        for (int i = 0; i < bench::workers; ++i) {
            pool.post([this] {
                held.count_down();
                never.wait();
            });
        }
        held.wait();
    }
};

/// Hands the figure to the parent and ends the child as it stands: its workers never end.
[[noreturn]] void answer(int pipe_end, double bytes) {
    const bool written = write(pipe_end, &bytes, sizeof bytes) == sizeof bytes;
    _exit(written ? 0 : 1);
}

template <class Pool>
void bytes_per_post(int pipe_end) {
    constexpr int tasks = 1'000'000;
    Pool pool(bench::workers);
    held_workers holding(pool);
    const double before = resident_bytes();
    for (int i = 0; i < tasks; ++i) pool.post([&holding] { benchmark::DoNotOptimize(&holding); });
    answer(pipe_end, (resident_bytes() - before) / tasks);
}

template <class Pool>
void bytes_per_future(int pipe_end) {
    constexpr int tasks = 500'000;
    Pool pool(bench::workers);
    [[maybe_unused]] held_workers holding(pool);
    using handle = decltype(pool.submit([] { return 0; }));
    std::vector<handle> futures(tasks);
    const double before = resident_bytes();
    for (int i = 0; i < tasks; ++i) {
        futures[static_cast<std::size_t>(i)] = pool.submit([i] { return i; });
    }
    answer(pipe_end, (resident_bytes() - before) / tasks);
}

/// Runs `ask` in a child.
void measure(benchmark::State& state, void (*ask)(int pipe_end)) {
    double bytes = -1;
    for (auto _ : state) {
        int ends[2];
        if (pipe(ends) != 0) break;
        const pid_t child = fork();
        if (child == 0) ask(ends[1]);
        close(ends[1]);
        if (read(ends[0], &bytes, sizeof bytes) != sizeof bytes) bytes = -1;
        close(ends[0]);
        waitpid(child, nullptr, 0);
    }
    if (bytes < 0) state.SkipWithError("the child could not measure");
    bench::set_items(state, 1);
    state.counters["value"] = bytes;
}

} // namespace

int main(int argc, char** argv) {
    bench::for_each_pool([]<class Pool>() {
        bench::add("memory_post", Pool::name, [](benchmark::State& state) {
            measure(state, &bytes_per_post<Pool>);
        });
        bench::add("memory_future", Pool::name, [](benchmark::State& state) {
            measure(state, &bytes_per_future<Pool>);
        });
    });
    return bench::run(argc, argv);
}
