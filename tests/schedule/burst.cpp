// A task submits tasks that wait for each other: pushed to its worker's own deque, each of them
// needs a worker, while their submitter keeps its own.
#include <heddle/thread_pool.hpp>

#include <latch>

int main() {
    std::latch all(2), done(2);
    heddle::thread_pool pool(3);
    pool.post([&] {
        for (int i = 0; i < 2; ++i) {
            pool.post([&] {
                all.arrive_and_wait();
                done.count_down();
            });
        }
        done.wait();
    });
    done.wait();
}
