// Whoever waited for an event sees what was written before it was set, also if it is cleared.
#include <heddle/event.hpp>

#include <cassert>
#include <thread>

int main() {
    heddle::event ready, taken;
    int payload = 0;
    std::thread reader([&] {
        for (int round = 1; round <= 2; ++round) {
            ready.wait();
            assert(payload == round);
            ready.clear();
            taken.set();
        }
    });
    for (int round = 1; round <= 2; ++round) {
        payload = round;
        ready.set();
        taken.wait();
        taken.clear();
    }
    reader.join();
    assert(!ready.is_set());
}
