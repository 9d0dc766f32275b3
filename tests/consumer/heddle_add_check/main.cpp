// A counter with and without its lock, for heddle_add_check().
#include <mutex>
#include <thread>

std::mutex guard;
int counter = 0;

void count() {
#ifndef UNLOCKED
    const std::lock_guard hold(guard);
#endif
    ++counter;
}

int main() {
    std::thread other(count);
    count();
    other.join();
}
