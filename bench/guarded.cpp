/// What does `guarded` add to the std::mutex in it, uncontended?
#include "support.hpp"

#include <heddle/guarded.hpp>

#include <mutex>

namespace {

constexpr int times = 10'000'000;

void measure_mutex(benchmark::State& state) {
    std::mutex mutex;
    int value = 0;
    for (auto _ : state) {
        for (int i = 0; i < times; ++i) {
            std::lock_guard lock(mutex);
            benchmark::DoNotOptimize(++value);
        }
    }
    bench::set_items(state, times);
}

void measure_with(benchmark::State& state) {
    heddle::guarded<int> value(0);
    for (auto _ : state) {
        for (int i = 0; i < times; ++i) {
            value.with([](int& v) { benchmark::DoNotOptimize(++v); });
        }
    }
    bench::set_items(state, times);
}

void measure_lock(benchmark::State& state) {
    heddle::guarded<int> value(0);
    for (auto _ : state) {
        for (int i = 0; i < times; ++i) {
            auto held = value.lock();
            benchmark::DoNotOptimize(++*held);
        }
    }
    bench::set_items(state, times);
}

} // namespace

int main(int argc, char** argv) {
    for (const char* question : {"guarded_with", "guarded_lock"}) {
        bench::add(question, "mutex", measure_mutex);
    }
    bench::add("guarded_with", "heddle", measure_with);
    bench::add("guarded_lock", "heddle", measure_lock);
    return bench::run(argc, argv);
}
