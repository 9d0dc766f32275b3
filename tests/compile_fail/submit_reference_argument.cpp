// expect: no matching.*submit
#include <heddle/thread_pool.hpp>

void count(int& n);

// The argument is frozen, so a change of it would be lost: std::ref(n) shares it.
void wrong(heddle::thread_pool& pool, int n) {
    auto f = pool.submit(count, n);
}
