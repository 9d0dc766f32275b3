// What isolation means: a process has its own memory. What a child writes is not seen here, unless
// it writes to memory that is shared on purpose.
#include <heddle/mp.hpp>

#include <csignal>
#include <cstddef>
#include <iostream>

namespace mp = heddle::mp;

int counter = 0; // one in each process

void count(mp::shared_value<int> shared) {
    ++counter;
    shared.fetch_add(1);
}

struct highscore {
    int points = 0;
    int player = 0;
};

void play(int player, mp::shared_value<highscore> best) {
    const int points = player * 10 % 25;
    best.with([&](highscore& b) { // under a lock, seen by the others as a whole
        if (points > b.points) b = {points, player};
    });
}

void fill(mp::shared_array<int> part_of, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) part_of[i] = static_cast<int>(i * i);
}

int main(int argc, char** argv) {
    mp::init(argc, argv);

    mp::shared_value<int> shared(0);
    for (int i = 0; i < 3; ++i) mp::process(count, shared).join();
    std::cout << "three children counted: here " << counter << ", shared " << shared.load() << '\n';

    mp::shared_value<highscore> best;
    {
        mp::process one(play, 1, best), two(play, 2, best), three(play, 3, best);
    } // joined
    std::cout << "player " << best.load().player << " leads with " << best.load().points << '\n';

    mp::shared_array<int> squares(8);
    {
        mp::process front(fill, squares, 0, 4), back(fill, squares, 4, 8);
    }
    for (const int s : squares) std::cout << s << ' ';
    std::cout << '\n';

    // A child that dies in the middle of a change has changed nothing, and holds up nobody.
    mp::process dies(
        [](mp::shared_value<int> s) {
            s.with([](int& value) {
                value = -1;
                std::raise(SIGKILL);
            });
        },
        shared);
    dies.join();
    std::cout << "exit code " << dies.exit_code().value() << ", shared " << shared.load() << '\n';
}
