// The figures of docs/choosing.md: the same work done by threads, processes and coroutines.
//
//   choosing        prints one table; about 20 seconds
#include <heddle/heddle.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace aio = heddle::aio;

namespace {

constexpr int waits = 1'000;
constexpr auto one_wait = 100ms;
constexpr int numbers = 4;

/// Runs `work` in a child process, since peak memory is a figure of a whole process, and prints
/// one row of the table.
template <class Work>
void row(const char* what, const char* how, Work work) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child < 0) std::abort();
    if (child == 0) {
        using clock = std::chrono::steady_clock;
        const auto began = clock::now();
        work();
        const std::chrono::duration<double> took = clock::now() - began;
        rusage own{}, children{};
        getrusage(RUSAGE_SELF, &own);
        getrusage(RUSAGE_CHILDREN, &children);
        const auto seconds = [](const timeval& t) {
            return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
        };
        const double cpu = seconds(own.ru_utime) + seconds(own.ru_stime) +
                           seconds(children.ru_utime) + seconds(children.ru_stime);
        std::printf("| %s | %s | %.2f | %.2f | %.1f |\n",
                    what,
                    how,
                    took.count(),
                    cpu,
                    static_cast<double>(own.ru_maxrss) / 1024);
        std::fflush(stdout);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) std::abort();
}

void wait_once(int) {
    std::this_thread::sleep_for(one_wait);
}

void wait_in_pool(int workers) {
    heddle::thread_pool pool(workers);
    pool.map(wait_once, std::views::iota(0, waits)).collect();
}

aio::task<> wait_in_coroutines() {
    co_await aio::with_task_group([](aio::task_group& group) -> aio::task<> {
        for (int i = 0; i < waits; ++i) group.spawn(aio::sleep_for(one_wait));
        co_return;
    });
}

long primes_below(int n) {
    long found = 0;
    for (int i = 2; i < n; ++i) {
        bool prime = true;
        for (int d = 2; d * d <= i && prime; ++d) prime = i % d != 0;
        found += prime;
    }
    return found;
}

constexpr int upper = 1'500'000;

template <class Pool>
void count_in(Pool& pool) {
    for (const long found : pool.map(primes_below, std::vector<int>(numbers, upper))) {
        if (found != 114'155) std::abort();
    }
}

} // namespace

int main(int argc, char** argv) {
    heddle::mp::init(argc, argv);
    std::printf("| work | how | seconds | CPU seconds | peak MiB |\n|---|---|---|---|---|\n");
    const char* const waiting = "1,000 waits of 0.1 s";
    row(waiting, "pool, 10 workers", [] { wait_in_pool(10); });
    row(waiting, "pool, 100 workers", [] { wait_in_pool(100); });
    row(waiting, "pool, 1,000 workers", [] { wait_in_pool(waits); });
    row(waiting, "coroutines, one thread", [] { aio::run(wait_in_coroutines()); });
    const char* const computing = "4 × primes below 1.5 million";
    row(computing, "one after the other", [] {
        for (int i = 0; i < numbers; ++i) {
            if (primes_below(upper) != 114'155) std::abort();
        }
    });
    row(computing, "pool of threads", [] {
        heddle::thread_pool pool(numbers);
        count_in(pool);
    });
    row(computing, "pool of processes", [] {
        heddle::process_pool pool(numbers);
        count_in(pool);
    });
}
