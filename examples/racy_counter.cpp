// Lesson: a race can be found on purpose. This is the counter of the lessons, with the bug left in:
// nothing orders the two threads. It is built with -fsanitize=thread and not changed otherwise, and
// `heddle check` (last part of ./dev run) finds the schedule that breaks it and tells it.
#include <cassert>
#include <thread>

int counter = 0;

void change_counter(int amount) {
    int seen = counter;
    counter = seen + amount;
}

int main() {
    std::thread up(change_counter, +1);
    std::thread down(change_counter, -1);
    up.join();
    down.join();
    assert(counter == 0);
}
