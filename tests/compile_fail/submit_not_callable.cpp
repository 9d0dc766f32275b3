// expect: no matching.*submit
#include <heddle/thread_pool.hpp>

void wrong(heddle::thread_pool& pool) {
    auto f = pool.submit(42);
}
