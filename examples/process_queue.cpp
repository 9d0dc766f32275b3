// Four consumers, each a process, work off a queue. No sentinels: the queue is shut down, and each
// consumer's loop ends when everything has been taken.
#include <heddle/mp.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

namespace mp = heddle::mp;

struct answer {
    int input = 0;
    std::string text;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(input, text);
    }
};

void consume(mp::queue<int> jobs, mp::queue<answer> answers) {
    for (const int n : jobs)
        answers.put({n, std::to_string(n) + " squared is " + std::to_string(n * n)});
}

int main(int argc, char** argv) {
    mp::init(argc, argv);
    mp::queue<int> jobs(10); // a producer that is too fast waits
    mp::queue<answer> answers;

    std::vector<mp::process> consumers;
    for (int i = 0; i < 4; ++i) {
        consumers.emplace_back(
            mp::process_options{.name = "consumer-" + std::to_string(i)}, consume, jobs, answers);
    }
    for (int n = 0; n < 100; ++n) jobs.put(n);
    jobs.shutdown();
    for (mp::process& c : consumers) c.join();

    std::vector<std::string> in_order(100);
    while (const auto a = answers.try_get()) in_order[static_cast<std::size_t>(a->input)] = a->text;
    std::cout << in_order[0] << "\n…\n" << in_order[99] << '\n';

    // Who dies holds up nobody: the others go on with what is left.
    mp::queue<int> more;
    mp::process victim([](mp::queue<int> from) { from.get(), std::abort(); }, more);
    for (int n = 0; n < 10; ++n) more.put(n);
    victim.join();
    std::cout << "a consumer ended with " << victim.exit_code().value() << " and " << more.size()
              << " items are left\n";
}
