// Lesson: do not share, hand over. Producers put items into a queue, consumers take them out; the
// queue is the only thing that both know, and it does its own locking.
//
// What to notice: no sentinels. `shutdown()` says that nothing more will come, and every consumer's
// loop ends when the queue is empty, however many consumers there are. The queue holds at most 10
// items, so producers that are too fast wait. Of 100 items each is taken once, and nobody counts
// `task_done` by hand: `get_tracked` does it, so `join` cannot wait for ever on a forgotten one.
#include <heddle/print.hpp>
#include <heddle/queue.hpp>
#include <heddle/thread.hpp>

#include <functional>
#include <string>
#include <vector>

long consume(heddle::queue<int>& items) {
    long sum = 0;
    for (int& item : items) sum += item; // until shut down and empty
    return sum;
}

long with_shutdown() {
    heddle::queue<int> items(10);
    std::vector<heddle::thread<long>> consumers;
    for (int i = 0; i < 3; ++i) consumers.emplace_back(consume, std::ref(items));

    std::vector<heddle::thread<void>> producers;
    for (int first : {0, 50}) {
        producers.emplace_back([&items, first] {
            for (int item = first; item < first + 50; ++item) items.put(item);
        });
    }
    for (auto& producer : producers) producer.join();
    items.shutdown(); // after the last put

    long sum = 0;
    for (auto& consumer : consumers) sum += consumer.result();
    return sum;
}

int with_join() {
    heddle::queue<std::string> orders;
    int dishes = 0;
    heddle::thread cook([&] {
        for (int i = 0; i < 4; ++i) {
            auto order = orders.get_tracked(); // done when it goes out of scope
            heddle::print("cooking", *order);
            ++dishes;
        }
    });
    for (const char* dish : {"soup", "salad", "pasta", "cake"}) orders.put(dish);
    orders.join(); // returns when all that was put in has been worked on
    return dishes;
}

int main() {
    const long sum = with_shutdown();
    heddle::print("100 items through 2 producers and 3 consumers, their sum:", sum);
    const int dishes = with_join();
    heddle::print("orders cooked:", dishes);
    heddle::print("100 items, each taken once: the sum is", sum);
}
