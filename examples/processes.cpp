// Processes: the same interface as a thread pool, but every worker is a process of its own. It has
// its own memory, and when it crashes, nobody else does.
#include <heddle/process_pool.hpp>
#include <heddle/thread_pool.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace {

// The sum of squares below n. For ten million it needs more than 64 bits.
__extension__ using wide = unsigned __int128;

wide cpu_bound(int n) {
    wide sum = 0;
    for (wide i = 0; i < static_cast<wide>(n); ++i) sum += i * i;
    return sum;
}

std::string in_decimal(wide n) {
    std::string text;
    do {
        text.insert(text.begin(), static_cast<char>('0' + static_cast<int>(n % 10)));
        n /= 10;
    } while (n != 0);
    return text;
}

template <class Work>
void timed(const char* what, Work work) {
    using clock = std::chrono::steady_clock;
    const auto began = clock::now();
    const wide result = work();
    const std::chrono::duration<double, std::milli> took = clock::now() - began;
    std::cout << what << ": " << in_decimal(result) << std::endl;
    std::fprintf(stderr, "%s took %.0f ms\n", what, took.count());
}

// Four times the same work; every pool has `map`.
template <class Pool>
wide four_times(Pool& pool) {
    return pool.map(cpu_bound, std::vector<int>(4, 10'000'000)).collect().back();
}

int counter = 0;

int count() {
    return ++counter;
}

int square(int x) {
    return x * x;
}
int multiply(int a, int b) {
    return a * b;
}

void show(const char* what, const std::vector<int>& values) {
    std::cout << what << ":";
    for (const int v : values) std::cout << ' ' << v;
    std::cout << '\n';
}

} // namespace

int main(int argc, char** argv) {
    heddle::mp::init(argc, argv); // workers are this program, executed again: this makes them work

    heddle::thread_pool threads(4);
    heddle::process_pool pool(4);
    timed("one after the other", [] {
        // volatile: else the compiler knows the sum, and that four times the same is once.
        volatile int n = 10'000'000;
        wide last = 0;
        for (int i = 0; i < 4; ++i) last = cpu_bound(n);
        return last;
    });
    timed("four threads", [&] { return four_times(threads); });
    timed("four processes", [&] { return four_times(pool); });

    show("map", pool.map(square, std::vector{1, 2, 3, 4, 5}).collect());
    show("map_async", pool.map_async(square, std::vector{6, 7, 8}).result());
    const std::vector<std::pair<int, int>> pairs{{1, 2}, {3, 4}, {5, 6}};
    show("starmap", pool.starmap(multiply, pairs).collect());

    // A worker's memory is its own.
    heddle::process_pool one(1);
    for (int i = 0; i < 3; ++i) one.submit(count).result();
    std::cout << "the worker counted to " << one.submit(count).result() << ", here the counter is "
              << counter << '\n';

    // A crash fails one task, and says which and how. The pool goes on.
    const auto crash = one.submit({.name = "bad pointer"}, [] { std::raise(SIGKILL); });
    const auto after = one.submit(square, 9);
    try {
        crash.result();
    } catch (const heddle::broken_process_pool_error& e) {
        const std::string text = e.what();
        std::cout << "a task was lost; its worker " << text.substr(text.find("was killed")) << '\n';
        std::fprintf(stderr, "%s\n", e.what());
    }
    std::cout << "the next task gives " << after.result() << '\n';
}
