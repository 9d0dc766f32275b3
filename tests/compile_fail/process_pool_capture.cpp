// expect: the callable has captures or members, and another process cannot see them
#include <heddle/process_pool.hpp>

void capture(heddle::process_pool& pool) {
    int local = 1;
    pool.submit([&local] { return local; }).wait();
}
