// expect: ignoring return(ed)? value.*nodiscard
#pragma GCC diagnostic error "-Wunused-result"
#include <heddle/thread_pool.hpp>

void careless(heddle::thread_pool& pool) {
    pool.submit([] {});
}
