// expect: ignoring return(ed)? value.*nodiscard
#pragma GCC diagnostic error "-Wunused-result"
#include <heddle/thread_pool.hpp>

#include <vector>

void careless(heddle::thread_pool& pool, std::vector<int>& inputs) {
    pool.map([](int i) { return i; }, inputs);
}
