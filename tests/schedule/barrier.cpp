// Nobody starts a round before everybody has ended the last one; the action runs once a round.
#include <heddle/barrier.hpp>

#include <cassert>
#include <thread>

int main() {
    int left = 0, right = 0, rounds = 0;
    heddle::barrier both(2, [&] { ++rounds; });
    const auto party = [&](int& mine, const int& other) {
        for (int round = 1; round <= 2; ++round) {
            mine = round;
            both.wait();
            assert(other == round && rounds == 2 * round - 1);
            both.wait(); // nobody writes before both have looked
        }
    };
    std::thread a([&] { party(right, left); });
    party(left, right);
    a.join();
    assert(rounds == 4);
}
