/// What does it cost to hand an int through a blocking queue?
///
/// `queue_1`: put and get by one thread. `queue_1_1`, `queue_2_2`: so many producers and as many
/// consumers, which block while the queue is empty; the figure is an item's. Unbounded queues.
#include "support.hpp"

#include <heddle/queue.hpp>

#include <condition_variable>
#include <deque>
#include <latch>

#if HEDDLE_BENCH_MOODYCAMEL
#include <concurrentqueue/blockingconcurrentqueue.h>
#endif
#if HEDDLE_BENCH_TBB
#include <oneapi/tbb/concurrent_queue.h>
#endif

namespace {

constexpr int items = 500'000;

struct heddle_queue {
    static constexpr const char* name = "heddle";
    void put(int i) { queue.put(i); }
    int get() { return queue.get(); }
    heddle::queue<int> queue;
};

struct naive_queue {
    static constexpr const char* name = "naive";
    void put(int i) {
        {
            std::lock_guard lock(mutex);
            queue.push_back(i);
        }
        changed.notify_one();
    }
    int get() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return !queue.empty(); });
        const int i = queue.front();
        queue.pop_front();
        return i;
    }
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<int> queue;
};

#if HEDDLE_BENCH_MOODYCAMEL
struct moodycamel_queue {
    static constexpr const char* name = "moodycamel";
    void put(int i) { queue.enqueue(i); }
    int get() {
        int i = 0;
        queue.wait_dequeue(i);
        return i;
    }
    moodycamel::BlockingConcurrentQueue<int> queue;
};
#endif

#if HEDDLE_BENCH_TBB
struct tbb_queue {
    static constexpr const char* name = "tbb_queue";
    void put(int i) { queue.push(i); }
    int get() {
        int i = 0;
        queue.pop(i);
        return i;
    }
    tbb::concurrent_bounded_queue<int> queue;
};
#endif

template <class Queue>
void one_thread(benchmark::State& state) {
    Queue queue;
    std::int64_t sum = 0;
    for (auto _ : state) {
        for (int i = 0; i < items; ++i) {
            queue.put(i);
            sum += queue.get();
        }
    }
    benchmark::DoNotOptimize(sum);
    bench::set_items(state, items);
}

template <class Queue>
void many_threads(benchmark::State& state, int pairs) {
    const int each = items / pairs;
    for (auto _ : state) {
        state.PauseTiming();
        Queue queue;
        std::latch start(1);
        std::vector<std::thread> threads;
        for (int k = 0; k < pairs; ++k) {
            threads.emplace_back([&] {
                start.wait();
                for (int i = 0; i < each; ++i) queue.put(i);
            });
            threads.emplace_back([&] {
                start.wait();
                std::int64_t sum = 0;
                for (int i = 0; i < each; ++i) sum += queue.get();
                benchmark::DoNotOptimize(sum);
            });
        }
        state.ResumeTiming();
        start.count_down();
        for (std::thread& t : threads) t.join();
        state.PauseTiming(); // what is left is the queue's destructor
        state.ResumeTiming();
    }
    bench::set_items(state, items);
}

template <class Queue>
void add_all() {
    bench::add("queue_1", Queue::name, &one_thread<Queue>);
    bench::add("queue_1_1", Queue::name, [](benchmark::State& s) { many_threads<Queue>(s, 1); });
    bench::add("queue_2_2", Queue::name, [](benchmark::State& s) { many_threads<Queue>(s, 2); });
}

} // namespace

int main(int argc, char** argv) {
    add_all<heddle_queue>();
    add_all<naive_queue>();
#if HEDDLE_BENCH_MOODYCAMEL
    add_all<moodycamel_queue>();
#endif
#if HEDDLE_BENCH_TBB
    add_all<tbb_queue>();
#endif
    return bench::run(argc, argv);
}
