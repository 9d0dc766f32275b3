// A spin loop that counts its rounds, and goes on without what it waited for, while all others
// sleep: no livelock.
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <thread>

std::atomic<bool> answered{false};
std::mutex mutex;
std::condition_variable changed;
bool given_up = false;

int main() {
    std::thread patient([] {
        for (int round = 0; round < 20'000 && !answered; ++round) {
        }
        const std::lock_guard lock(mutex);
        given_up = true;
        changed.notify_one();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [] { return given_up; });
    lock.unlock();
    patient.join();
    assert(!answered);
}
