// A task that waits for a promise gives up its place: a spare worker runs what fulfils it.
#include <heddle/promise.hpp>
#include <heddle/thread_pool.hpp>

#include <cassert>

int main() {
    heddle::promise<int> promised;
    heddle::thread_pool pool(1);
    auto waits = pool.submit([f = promised.get_future()] { return f.result(); });
    auto gives = pool.submit([&] {
        promised.set_value(1);
        return 2;
    });
    assert(waits.result() + gives.result() == 3);
}
