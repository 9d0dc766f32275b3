/// What does a call in another process cost?
///
/// `process_start`: a pool is made, gives one result, and ends. `process_serial`: one call after
/// the other, beside 8 bytes through a pair of pipes and back. `process_pipelined`: many calls,
/// then their results. `process_1mib`, `process_64mib`: so much there and back, beside copying it
/// twice. `process_kill`: how late a task over its time limit has ended. CPython runs the same in
/// process_peers.py.
#include "support.hpp"

#include <heddle/process_pool.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using heddle::process_pool;
using seconds = std::chrono::duration<double>;
using bytes = std::vector<char>;

constexpr int serial_calls = 2'000, pipelined_calls = 50'000;
constexpr std::size_t mib = std::size_t{1} << 20;

int add_one(int n) {
    return n + 1;
}
bytes give_back(bytes given) {
    return given;
}

void start(benchmark::State& state) {
    for (auto _ : state) {
        process_pool pool(1);
        benchmark::DoNotOptimize(pool.submit(add_one, 1).result());
    }
    bench::set_items(state, 1);
}

void serial(benchmark::State& state) {
    process_pool pool(1);
    pool.submit(add_one, 1).wait();
    for (auto _ : state) {
        for (int i = 0; i < serial_calls; ++i) {
            benchmark::DoNotOptimize(pool.submit(add_one, i).result());
        }
    }
    bench::set_items(state, serial_calls);
}

/// A child that sends back what it is sent, eight bytes at a time.
class echo {
public:
    echo() {
        if (pipe(there_) != 0 || pipe(back_) != 0) throw std::runtime_error("no pipe");
        child_ = fork();
        if (child_ != 0) return;
        close(there_[1]);
        for (long n = 0; read(there_[0], &n, sizeof n) == sizeof n;) {
            if (write(back_[1], &n, sizeof n) != sizeof n) break;
        }
        _exit(0);
    }
    ~echo() {
        close(there_[1]);
        waitpid(child_, nullptr, 0);
        for (const int fd : {there_[0], back_[0], back_[1]}) close(fd);
    }
    echo(const echo&) = delete;
    echo& operator=(const echo&) = delete;
    long send(long n) {
        if (write(there_[1], &n, sizeof n) != sizeof n) throw std::runtime_error("no echo");
        if (read(back_[0], &n, sizeof n) != sizeof n) throw std::runtime_error("no echo");
        return n;
    }

private:
    int there_[2], back_[2];
    pid_t child_ = -1;
};

void serial_pipe(benchmark::State& state) {
    echo other;
    for (auto _ : state) {
        for (int i = 0; i < serial_calls; ++i) benchmark::DoNotOptimize(other.send(i));
    }
    bench::set_items(state, serial_calls);
}

void pipelined(benchmark::State& state) {
    process_pool pool(bench::workers);
    pool.map(add_one, std::vector<int>(1000)).collect();
    for (auto _ : state) {
        std::vector<heddle::future<int>> futures;
        futures.reserve(pipelined_calls);
        for (int i = 0; i < pipelined_calls; ++i) futures.push_back(pool.submit(add_one, i));
        for (const auto& f : futures) benchmark::DoNotOptimize(f.result());
    }
    bench::set_items(state, pipelined_calls);
}

void there_and_back(benchmark::State& state, std::size_t size) {
    process_pool pool(1);
    const bytes given(size, 'x');
    for (int i = 0; i < 3; ++i) pool.submit(give_back, given).wait();
    for (auto _ : state) benchmark::DoNotOptimize(pool.submit(give_back, given).result().data());
    bench::set_items(state, 1);
}

/// The least there is to do: the worker gets a copy, and its result is another one.
void copy_twice(benchmark::State& state, std::size_t size) {
    const bytes given(size, 'x');
    for (auto _ : state) {
        const bytes there(given);
        benchmark::DoNotOptimize(there.data());
        const bytes back(there);
        benchmark::DoNotOptimize(back.data());
    }
    bench::set_items(state, 1);
}

void kill_late(benchmark::State& state) {
    constexpr auto limit = std::chrono::milliseconds(20);
    process_pool pool({.max_workers = 1, .task_timeout = limit});
    for (auto _ : state) {
        const heddle::future<void> f = pool.submit([] {
            for (;;) pause();
        });
        while (!f.running()) std::this_thread::yield();
        const auto began = bench::clock::now();
        if (!f.exception()) throw std::runtime_error("the task was not ended");
        state.SetIterationTime(seconds(bench::clock::now() - began - limit).count());
    }
    bench::set_items(state, 1);
}

/// Lets CPython do it: process_peers.py prints how many seconds an item took.
void python(benchmark::State& state, const std::string& who, const std::string& question) {
    const std::string command =
        "python3 " HEDDLE_BENCH_SOURCES "/process_peers.py " + who + ' ' + question;
    for (auto _ : state) {
        std::FILE* const said = popen(command.c_str(), "r");
        double took = 0;
        const bool understood = said && std::fscanf(said, "%lf", &took) == 1;
        if (!said || pclose(said) != 0 || !understood) {
            state.SkipWithError(("cannot run " + command).c_str());
            return;
        }
        state.SetIterationTime(took);
    }
    bench::set_items(state, 1);
}

void add_python(const std::string& question) {
    for (const std::string who : {"executor", "mp_pool"}) {
        benchmark::RegisterBenchmark((question + '/' + who).c_str(),
                                     [=](benchmark::State& s) { python(s, who, question); })
            ->Iterations(1)
            ->UseManualTime();
    }
}

} // namespace

int main(int argc, char** argv) {
    heddle::mp::init(argc, argv);
    bench::add("process_start", "heddle", &start, 10);
    bench::add("process_serial", "heddle", &serial);
    bench::add("process_serial", "pipe", &serial_pipe);
    bench::add("process_pipelined", "heddle", &pipelined);
    for (const auto& [question, size] :
         {std::pair("process_1mib", mib), std::pair("process_64mib", 64 * mib)}) {
        const benchmark::IterationCount rounds = size == mib ? 50 : 5;
        bench::add(
            question, "heddle", [n = size](benchmark::State& s) { there_and_back(s, n); }, rounds);
        bench::add(
            question, "copies", [n = size](benchmark::State& s) { copy_twice(s, n); }, rounds);
    }
    benchmark::RegisterBenchmark("process_kill/heddle", &kill_late)->Iterations(5)->UseManualTime();
    for (const char* const question : {"process_start",
                                       "process_serial",
                                       "process_pipelined",
                                       "process_1mib",
                                       "process_64mib"}) {
        add_python(question);
    }
    return bench::run(argc, argv);
}
