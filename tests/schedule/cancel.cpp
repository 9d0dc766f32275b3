// Cancelling races with fulfilling: one of the two happens, and everybody is told the same.
#include <heddle/future.hpp>
#include <heddle/promise.hpp>

#include <cassert>
#include <thread>

int main() {
    heddle::promise<int> p;
    heddle::future<int> f = p.get_future();
    bool refused = false, cancelled = false;
    std::thread giver([&] {
        try {
            p.set_value(7);
        } catch (const heddle::invalid_state_error&) {
            refused = true;
        }
    });
    std::thread canceller([&, f]() mutable { cancelled = f.cancel(); });
    f.wait();
    giver.join();
    canceller.join();
    assert(cancelled == refused && cancelled == f.cancelled());
    if (!cancelled) assert(f.result() == 7);
}
