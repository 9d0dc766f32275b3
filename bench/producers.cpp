/// What does a post cost when four threads outside the pool post at once?
///
/// 4 × 250,000 empty tasks; from the moment all producers start until all tasks have run.
#include "peers/all.hpp"
#include "support.hpp"

#include <latch>

namespace {

constexpr int producers = 4;
constexpr std::int64_t each = 250'000;

template <class Pool>
void round(Pool& pool, benchmark::State* state) {
    if (state) state->PauseTiming();
    const std::uint64_t before = bench::tally::total();
    std::latch start(1);
    std::vector<std::thread> threads;
    for (int k = 0; k < producers; ++k) {
        threads.emplace_back([&] {
            start.wait();
            for (std::int64_t i = 0; i < each; ++i) pool.post([] { bench::tally::add(); });
        });
    }
    if (state) state->ResumeTiming();
    start.count_down();
    for (std::thread& t : threads) t.join();
    bench::tally::wait_for(before + producers * each);
}

template <class Pool>
void measure(benchmark::State& state) {
    Pool pool(bench::workers);
    round(pool, nullptr);
    for (auto _ : state) round(pool, &state);
    bench::set_items(state, producers * each);
}

} // namespace

int main(int argc, char** argv) {
    bench::for_each_pool([]<class Pool>() { bench::add("producers", Pool::name, &measure<Pool>); });
    return bench::run(argc, argv);
}
