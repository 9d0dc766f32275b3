// A vector of 32 MiB and a list of a million nodes, for ./dev bench check: what memory is taken.
#include <list>
#include <thread>
#include <vector>

int main() {
    std::vector<int> numbers(std::size_t{1} << 23);
    std::list<int> nodes;
    std::thread worker([&] {
        for (int& n : numbers) n = 1;
        for (int i = 0; i < 1'000'000; ++i) nodes.push_back(i);
    });
    worker.join();
    return nodes.back() == 999'999 ? 0 : 1;
}
