// Lesson: a task that shares a variable with its submitter sees what the variable holds when the
// task runs, not what it held when the task was submitted. Freeze the value instead.
//
// What to notice: all tasks of the first part run the same lambda, which refers to the one `now`.
// How many different numbers they see depends only on when the workers get to run. Here an event
// lets them run after 1, 2, 3, ... further submissions, so that the result is the same every time;
// without it, writing `now` while tasks read it would be a data race, which C++ does not allow.
#include <heddle/event.hpp>
#include <heddle/functional.hpp>
#include <heddle/print.hpp>
#include <heddle/thread_pool.hpp>
#include <heddle/wait.hpp>

#include <set>
#include <string>
#include <vector>

int itself(int number) {
    return number;
}

std::string joined(const std::vector<int>& numbers) {
    std::string line;
    for (int number : numbers) line += (line.empty() ? "" : ", ") + std::to_string(number);
    return line;
}

std::vector<int> shared_variable() {
    int now = 0; // before the pool: what tasks refer to must outlive them
    heddle::event workers_run;
    heddle::thread_pool pool;
    std::vector<heddle::future<int>> seen;

    int next_pause = 0;
    int submissions_between = 2;
    for (int i = 0; i < 100; ++i) {
        now = i;
        seen.push_back(pool.submit([&] { // the bug: `now` is shared
            workers_run.wait();
            return now;
        }));
        if (i == next_pause && i < 78) { // the workers catch up: after 0, 2, 5, 9, 14, ...
            workers_run.set();
            heddle::wait(seen);
            workers_run.clear();
            next_pause += submissions_between++;
        }
    }
    workers_run.set();
    return heddle::results(seen);
}

std::vector<int> frozen_value() {
    heddle::thread_pool pool;
    std::vector<heddle::future<int>> seen;
    for (int i = 0; i < 100; ++i) {
        // Three ways to say the same: the value of `i` goes into the task now. `submit_strict`
        // does not even compile if it is given a lambda that captures something.
        if (i % 3 == 0) seen.push_back(pool.submit(heddle::partial(itself, i)));
        else if (i % 3 == 1) seen.push_back(pool.submit(itself, i));
        else seen.push_back(pool.submit_strict([](int number) { return number; }, i));
    }
    return heddle::results(seen);
}

int main() {
    const std::vector<int> shared = shared_variable();
    heddle::print("shared:", joined(shared));
    const std::vector<int> frozen = frozen_value();
    heddle::print("frozen:", joined(frozen));

    const std::set<int> seen_shared(shared.begin(), shared.end());
    const std::set<int> seen_frozen(frozen.begin(), frozen.end());
    heddle::print(
        "100 tasks saw", seen_shared.size(), "numbers shared,", seen_frozen.size(), "frozen");
}
