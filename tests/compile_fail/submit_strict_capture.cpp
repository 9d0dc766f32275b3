// expect: submit_strict: the callable has captures or members; pass its state as arguments
#include <heddle/thread_pool.hpp>

void late_binding(heddle::thread_pool& pool) {
    for (int i = 0; i < 100; ++i) {
        pool.submit_strict([&i] { return i; }).wait();
    }
}
