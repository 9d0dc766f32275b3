// map() over a pool keeps the order, whoever computes what.
#include <heddle/map.hpp>
#include <heddle/thread_pool.hpp>

#include <cassert>
#include <vector>

int main() {
    const std::vector<int> in{1, 2, 3};
    std::vector<int> out;
    heddle::thread_pool pool(2);
    for (const int x : pool.map([](int i) { return i * i; }, in)) out.push_back(x);
    assert((out == std::vector<int>{1, 4, 9}));
}
