// Lesson: what a thread is, and that waiting in several threads overlaps.
//
// What to notice: the main thread goes on while A works; three threads that each wait for half a
// second need half a second together; and a `heddle::thread` gives back what its function returns,
// and throws what it threw, where a raw thread would lose the one and end the program on the other.
// Output that differs from run to run (the time) goes to stderr, here and in all lessons.
#include <heddle/event.hpp>
#include <heddle/print.hpp>
#include <heddle/thread.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

std::string worker(const std::string& name) {
    std::this_thread::sleep_for(500ms); // in place of a blocking call: a page, a database
    return name + " done";
}

void one_thread() {
    heddle::event main_has_spoken; // only so that the lines come in the same order every time
    heddle::thread a([&] {
        main_has_spoken.wait();
        heddle::print("A works");
    });
    heddle::print("the main thread keeps going while A works");
    main_has_spoken.set();
    a.join();
    heddle::print("A has finished");
}

void several_threads() {
    const auto start = std::chrono::steady_clock::now();
    std::vector<heddle::thread<std::string>> threads;
    for (int i = 0; i < 3; ++i) threads.emplace_back(worker, "T" + std::to_string(i));
    for (auto& thread : threads) heddle::print(thread.result());
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    std::fprintf(stderr, "elapsed: %.2f s\n", elapsed.count());
}

int main() {
    one_thread();
    several_threads();

    heddle::thread broken([] { throw std::runtime_error("no such page"); });
    broken.join(); // does not throw
    try {
        broken.result();
    } catch (const std::runtime_error& failure) {
        heddle::print("the fourth thread failed:", failure.what());
    }
    heddle::print("3 waits of 0.5 s in 3 threads: 0.5 s, not 1.5");
}
