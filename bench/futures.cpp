/// What does a future cost, from submit to result, when many are under way?
///
/// Submits 200,000 tasks that return an int, then takes each result in order, then lets go of the
/// futures. Heddle's can be cancelled, copied and watched; the peers' are a packaged_task in their
/// queue. std::async starts a thread for each, so it gets 1,000.
#include "peers/all.hpp"
#include "support.hpp"

#include <future>

namespace {

struct std_async {
    static constexpr const char* name = "async";
    explicit std_async(int) {}
    template <class F>
    auto submit(F f) {
        return std::async(std::launch::async, std::move(f));
    }
    template <class T>
    static T get(std::future<T>& f) {
        return f.get();
    }
};

template <class Pool>
void measure(benchmark::State& state, int tasks) {
    Pool pool(bench::workers);
    using handle = decltype(pool.submit([] { return 0; }));
    std::vector<handle> futures;
    futures.reserve(static_cast<std::size_t>(tasks));
    std::int64_t sum = 0;
    const auto once = [&] {
        for (int i = 0; i < tasks; ++i) futures.push_back(pool.submit([i] { return i; }));
        for (handle& f : futures) sum += Pool::get(f);
        futures.clear();
    };
    once();
    for (auto _ : state) once();
    benchmark::DoNotOptimize(sum);
    bench::set_items(state, tasks);
}

} // namespace

int main(int argc, char** argv) {
    bench::for_each_pool([]<class Pool>() {
        bench::add(
            "futures", Pool::name, [](benchmark::State& state) { measure<Pool>(state, 200'000); });
    });
    bench::add("futures", std_async::name, [](benchmark::State& state) {
        measure<std_async>(state, 1'000);
    });
    return bench::run(argc, argv);
}
