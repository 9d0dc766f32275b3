// expect: a pointer leads into the memory of this process
#include <heddle/process_pool.hpp>

void pointer(heddle::process_pool& pool, int* value) {
    pool.submit([](int* there) { return *there; }, value).wait();
}
