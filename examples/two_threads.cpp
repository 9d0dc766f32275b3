// Lesson: why `counter += amount` is not one step. Two threads, one adds 1, the other -1; the
// counter should be 0 again, and is -1.
//
// What to notice: each thread does three things: it reads the counter, adds, and writes. When the
// second reads before the first has written, one of the two additions is lost. The events force
// the order in which it goes wrong; in a real program it comes once in a million runs. The counter
// is atomic, so each read and each write is sound by itself. That does not help: it is the gap
// between them that is open.
#include <heddle/event.hpp>
#include <heddle/print.hpp>
#include <heddle/thread.hpp>

#include <atomic>

int main() {
    std::atomic<int> counter = 0;
    heddle::event first_has_read, second_has_read, first_has_written;

    heddle::thread first([&] {
        const int read = counter.load();
        heddle::print("thread 1 reads", read, "and evaluates", read, "+ 1 =", read + 1);
        first_has_read.set();
        second_has_read.wait();
        counter.store(read + 1);
        heddle::print("thread 1 writes", counter.load());
        first_has_written.set();
    });
    heddle::thread second([&] {
        first_has_read.wait();
        const int read = counter.load();
        heddle::print("thread 2 reads", read, "and evaluates", read, "- 1 =", read - 1);
        second_has_read.set();
        first_has_written.wait();
        counter.store(read - 1);
        heddle::print("thread 2 writes", counter.load());
    });
    first.join();
    second.join();
    heddle::print("0 + 1 - 1 =", counter.load(), "and should be 0: the +1 is lost");
}
