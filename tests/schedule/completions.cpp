// as_completed gives every future once, in whatever order they end.
#include <heddle/promise.hpp>
#include <heddle/wait.hpp>

#include <cassert>
#include <thread>
#include <vector>

int main() {
    heddle::promise<int> first, second;
    std::vector<heddle::future<int>> all{first.get_future(), second.get_future()};
    std::thread a([&] { first.set_value(1); }), b([&] { second.set_value(2); });
    int sum = 0, count = 0;
    for (auto& f : heddle::as_completed(all)) {
        sum += f.result();
        ++count;
    }
    a.join();
    b.join();
    assert(sum == 3 && count == 2);
}
