/// What does it cost to post a million empty tasks from one thread and wait until all have run?
///
/// The task holds one pointer and adds 1 to a counter of its thread. oneTBB's task_group is the
/// only one whose caller works along.
#include "peers/all.hpp"
#include "support.hpp"

#if HEDDLE_BENCH_TBB
#include <oneapi/tbb/task_group.h>
#endif

namespace {

constexpr std::int64_t tasks = 1'000'000;

struct one_pointer {
    void* payload;
    void operator()() const {
        benchmark::DoNotOptimize(payload);
        bench::tally::add();
    }
};

struct forty_bytes {
    void* payload[5];
    void operator()() const {
        benchmark::DoNotOptimize(payload[0]);
        bench::tally::add();
    }
};

template <class Pool, class Task>
void round(Pool& pool, const Task& task) {
    const std::uint64_t before = bench::tally::total();
    for (std::int64_t i = 0; i < tasks; ++i) pool.post(task);
    bench::tally::wait_for(before + tasks);
}

template <class Pool, class Task>
void measure(benchmark::State& state, Task task) {
    Pool pool(bench::workers);
    round(pool, task);
    for (auto _ : state) round(pool, task);
    bench::set_items(state, tasks);
}

#if HEDDLE_BENCH_TBB
void measure_task_group(benchmark::State& state) {
    const tbb::global_control allowed(tbb::global_control::max_allowed_parallelism,
                                      bench::workers + 1);
    tbb::task_arena arena(bench::workers + 1, 1);
    arena.execute([&] {
        tbb::task_group group;
        const auto once = [&] {
            for (std::int64_t i = 0; i < tasks; ++i) group.run(one_pointer{&group});
            group.wait();
        };
        once();
        for (auto _ : state) once();
    });
    bench::set_items(state, tasks);
}
#endif

} // namespace

int main(int argc, char** argv) {
    bench::for_each_pool([]<class Pool>() {
        bench::add("post", Pool::name, [](benchmark::State& state) {
            measure<Pool>(state, one_pointer{&state});
        });
        bench::add("post_40_bytes", Pool::name, [](benchmark::State& state) {
            measure<Pool>(state, forty_bytes{{&state}});
        });
    });
#if HEDDLE_BENCH_TBB
    bench::add("post", "tbb_group", measure_task_group);
#endif
    return bench::run(argc, argv);
}
