// async, jthread, stop_token, latch, barrier, semaphore, shared_mutex, call_once, atomic wait,
// thread_local and exceptions in one program.
#include <atomic>
#include <barrier>
#include <cassert>
#include <future>
#include <latch>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
std::latch begun(2);
std::barrier meet(2);
std::counting_semaphore<4> slots(1);
std::shared_mutex guard;
std::once_flag once;
std::atomic<int> phase{0};
std::string text;
thread_local int mine = 0;
int main() {
    std::jthread first([](std::stop_token stop) {
        begun.count_down();
        std::call_once(once, [] {
            std::unique_lock l(guard);
            text = "made once, long enough for the heap";
        });
        ++mine;
        meet.arrive_and_wait();
        phase = 1;
        phase.notify_all();
        while (!stop.stop_requested()) std::this_thread::yield();
    });
    std::jthread second([] {
        begun.count_down();
        slots.acquire();
        mine += 2;
        slots.release();
        meet.arrive_and_wait();
        std::shared_lock l(guard);
        assert(text.size() > 10);
    });
    begun.wait();
    phase.wait(0);
    auto good = std::async(std::launch::async, [] {
        std::shared_lock l(guard);
        return text.size();
    });
    auto bad = std::async(std::launch::async, []() -> int { throw std::runtime_error("told"); });
    assert(good.get() > 10);
    try {
        bad.get();
        return 1;
    } catch (const std::runtime_error& e) {
        assert(std::string(e.what()) == "told");
    }
}
