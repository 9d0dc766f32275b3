// Lesson: an exception in a task is kept in its future, and thrown where the result is asked for.
// One task that fails harms neither the pool nor the other tasks. And none is silent.
//
// What to notice: 0, 1, 2 and 4 are worked on as if 3 had not failed. `outcome()` tells value and
// failure apart without a try. Last, the common bug: a task is submitted and nobody ever looks at
// its future. Its failure is then handed to the failure handler (without one it is a line on
// stderr that says where the task was submitted).
#include <heddle/failure.hpp>
#include <heddle/print.hpp>
#include <heddle/thread_pool.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

int flaky(int n) {
    if (n == 3) throw std::invalid_argument("cannot process " + std::to_string(n));
    return n * 10;
}

int main() {
    heddle::thread_pool pool({.max_workers = 3});

    std::vector<heddle::future<int>> futures;
    for (int n = 0; n < 5; ++n) futures.push_back(pool.submit(flaky, n));

    for (int n = 0; const heddle::future<int>& future : futures) {
        try {
            heddle::print(n, "->", future.result());
        } catch (const std::invalid_argument& failure) {
            heddle::print(n, "failed:", failure.what());
        }
        ++n;
    }

    int good = 0;
    for (const heddle::future<int>& future : futures) good += future.outcome().has_value();
    heddle::print("without a try:", good, "of", futures.size(), "have a value");

    heddle::set_failure_handler([](const heddle::failure_info& failure) {
        try {
            std::rethrow_exception(failure.exception);
        } catch (const std::exception& what) {
            heddle::print("nobody looked at the failure of", failure.task_name + ":", what.what());
        }
    });
    {
        auto forgotten = pool.submit({.name = "forgotten"}, flaky, 3);
        forgotten.wait(); // waiting is not looking
    }
    heddle::set_failure_handler(nullptr);
    heddle::print("1 of 5 failed, 4 went on, none was silent");
}
