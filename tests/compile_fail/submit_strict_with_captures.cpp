// expect: submit_strict: the callable has captures
#include <heddle/thread_pool.hpp>

void wrong(heddle::thread_pool& pool, int i) {
    auto f = pool.submit_strict([&i] { return i; });
}
