/// What do coroutines cost, beside Asio's own, and CPython's (peers/asyncio_peer.py)?
///
/// `aio_await`: make a task and await it. `aio_gather`: 1e5 tasks at once, each of which lets the
/// others run once. `aio_switch`: one task lets the loop turn. `aio_timers`: 1e5 sleeps that end
/// within one second, CPU time. `aio_to_thread`: there and back again. `aio_frame`: memory of a
/// task that nobody has awaited yet. `aio_echo`: 16 bytes to a socket and back, both ends in one
/// thread.
#include "support.hpp"

#include <heddle/aio.hpp>

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <string>
#include <utility>
#include <vector>

#if HEDDLE_BENCH_ASIO
#include "peers/asio_coroutines.hpp"

#include <heddle/aio_asio.hpp>
#endif

namespace {

using namespace std::chrono_literals;
namespace aio = heddle::aio;

constexpr int awaits = 1'000'000;
constexpr int tasks = 100'000;
constexpr int trips = 5'000;
constexpr int frames = 500'000;

double cpu_ns() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e9 * static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec);
}

struct heddle_coroutines {
    static constexpr const char* name = "heddle";

    static aio::task<int> one() { co_return 1; }
    static aio::task<int> await_many() {
        int sum = 0;
        for (int i = 0; i < awaits; ++i) {
            const int x = co_await one();
            sum += x;
        }
        co_return sum;
    }
    static aio::task<> yield_once() { co_await aio::sleep_for(0s); }
    static aio::task<> gather_many() {
        std::vector<aio::task<>> all;
        all.reserve(tasks);
        for (int i = 0; i < tasks; ++i) all.push_back(yield_once());
        co_await aio::gather(std::move(all));
    }
    static aio::task<> switch_many() {
        for (int i = 0; i < awaits; ++i) co_await aio::sleep_for(0s);
    }
    static aio::task<> sleep(int ms) { co_await aio::sleep_for(std::chrono::milliseconds(ms)); }
    static aio::task<> sleep_many() {
        std::vector<aio::task<>> all;
        all.reserve(tasks);
        for (int i = 0; i < tasks; ++i) all.push_back(sleep(i * 7919 % 1000));
        co_await aio::gather(std::move(all));
    }
    static aio::task<> empty() { co_return; }
    static aio::task<> make_task() { return empty(); }
    using unawaited = aio::task<>;

    static int run_awaits() { return aio::run(await_many()); }
    static void run_gather() { aio::run(gather_many()); }
    static void run_switches() { aio::run(switch_many()); }
    static void run_timers() { aio::run(sleep_many()); }
};

template <class Library>
void measure_awaits(benchmark::State& state) {
    int sum = 0;
    for (auto _ : state) sum += Library::run_awaits();
    if (sum != awaits * static_cast<int>(state.iterations())) state.SkipWithError("wrong sum");
    bench::set_items(state, awaits);
}
template <class Library>
void measure_gather(benchmark::State& state) {
    Library::run_gather(); // what is recycled exists
    for (auto _ : state) Library::run_gather();
    bench::set_items(state, tasks);
}
template <class Library>
void measure_switches(benchmark::State& state) {
    for (auto _ : state) Library::run_switches();
    bench::set_items(state, awaits);
}
/// Computes in a child, so that memory freed before hides no growth, and memory that a measurement
/// leaves in disorder slows no other one.
template <class Compute>
void measure_in_child(benchmark::State& state, Compute compute) {
    double value = -1;
    for (auto _ : state) {
        int ends[2];
        if (pipe(ends) != 0) break;
        const pid_t child = fork();
        if (child == 0) {
            value = compute();
            _exit(write(ends[1], &value, sizeof value) == sizeof value ? 0 : 1);
        }
        close(ends[1]);
        if (read(ends[0], &value, sizeof value) != sizeof value) value = -1;
        close(ends[0]);
        waitpid(child, nullptr, 0);
    }
    if (value < 0) {
        state.SkipWithError(("the child could not measure: " + std::to_string(value)).c_str());
    }
    bench::set_items(state, 1);
    state.counters["value"] = value;
}

template <class Library>
void measure_timers(benchmark::State& state) {
    measure_in_child(state, [] {
        const double before = cpu_ns();
        Library::run_timers();
        return (cpu_ns() - before) / tasks;
    });
}

/// What has been asked of malloc and not given back: exact, where the resident set is up to the
/// kernel.
double allocated_bytes() {
    const struct mallinfo2 now = mallinfo2();
    return static_cast<double>(now.uordblks) + static_cast<double>(now.hblkhd);
}
template <class Library>
void measure_frames(benchmark::State& state) {
    measure_in_child(state, [] {
        std::vector<typename Library::unawaited> made;
        made.reserve(2 * frames);
        // The first half uses up what was recycled.
        for (int i = 0; i < frames; ++i) made.push_back(Library::make_task());
        const double before = allocated_bytes();
        for (int i = 0; i < frames; ++i) made.push_back(Library::make_task());
        const double grown = allocated_bytes() - before;
        new auto(std::move(made)); // nobody destroys them: each would be reported
        return grown / frames;
    });
}

void measure_to_thread(benchmark::State& state) {
    struct code {
        static aio::task<> main(benchmark::State& state) {
            for (int i = 0; i < 100; ++i) (void)co_await aio::to_thread([] { return 1; });
            for (auto _ : state) {
                for (int i = 0; i < trips; ++i) (void)co_await aio::to_thread([] { return 1; });
            }
        }
    };
    aio::run(code::main(state));
    bench::set_items(state, trips);
}
void measure_pool(benchmark::State& state) {
    heddle::thread_pool pool(heddle::available_parallelism() + 4);
    for (int i = 0; i < 100; ++i) (void)pool.submit([] { return 1; }).result();
    for (auto _ : state) {
        for (int i = 0; i < trips; ++i) (void)pool.submit([] { return 1; }).result();
    }
    bench::set_items(state, trips);
}

template <class Library>
void add_all() {
    bench::add("aio_await", Library::name, &measure_awaits<Library>);
    bench::add("aio_gather", Library::name, &measure_gather<Library>, 5);
    bench::add("aio_switch", Library::name, &measure_switches<Library>);
    bench::add("aio_timers", Library::name, &measure_timers<Library>);
    bench::add("aio_frame", Library::name, &measure_frames<Library>);
}

#if HEDDLE_BENCH_ASIO
struct heddle_echo {
    static constexpr const char* name = "heddle";
    using socket = asio::ip::tcp::socket;

    static aio::task<> answer(socket end) {
        std::array<char, bench::echo_bytes> buffer;
        for (int i = 0; i < bench::echoes; ++i) {
            (void)co_await end.async_read_some(asio::buffer(buffer), aio::use_task);
            (void)co_await end.async_write_some(asio::buffer(buffer), aio::use_task);
        }
    }
    static aio::task<> ask(socket end) {
        std::array<char, bench::echo_bytes> buffer{};
        for (int i = 0; i < bench::echoes; ++i) {
            (void)co_await end.async_write_some(asio::buffer(buffer), aio::use_task);
            (void)co_await end.async_read_some(asio::buffer(buffer), aio::use_task);
        }
    }
    static aio::task<> both() {
        auto ends = bench::connected(aio::io_context());
        (void)co_await aio::gather(answer(std::move(ends.first)), ask(std::move(ends.second)));
    }
    static void run_echo() { aio::run(both()); }
};
template <class Library>
void measure_echo(benchmark::State& state) {
    for (auto _ : state) Library::run_echo();
    bench::set_items(state, bench::echoes);
}
#endif

} // namespace

int main(int argc, char** argv) {
    add_all<heddle_coroutines>();
    bench::add("aio_to_thread", "heddle", &measure_to_thread);
    bench::add("aio_to_thread", "pool", &measure_pool);
#if HEDDLE_BENCH_ASIO
    add_all<bench::asio_coroutines>();
    bench::add("aio_echo", heddle_echo::name, &measure_echo<heddle_echo>);
    bench::add("aio_echo", bench::asio_coroutines::name, &measure_echo<bench::asio_coroutines>);
    bench::add("aio_echo", bench::asio_callbacks::name, &measure_echo<bench::asio_callbacks>);
#endif
    return bench::run(argc, argv);
}
