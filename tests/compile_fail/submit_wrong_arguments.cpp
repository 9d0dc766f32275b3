// expect: no matching.*submit
#include <heddle/thread_pool.hpp>

#include <string>

int add(int a, int b);

void wrong(heddle::thread_pool& pool) {
    auto f = pool.submit(add, 1, std::string("two"));
}
