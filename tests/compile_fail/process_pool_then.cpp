// expect: hands f this future, which cannot travel to another process
#include <heddle/process_pool.hpp>

void then(heddle::process_pool& pool, const heddle::future<int>& first) {
    first.then(pool, [](const heddle::future<int>& done) { return done.result(); }).wait();
}
