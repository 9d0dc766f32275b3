// One thread submits while another shuts down: each task runs, or its submitter is told.
#include <heddle/error.hpp>
#include <heddle/thread_pool.hpp>

#include <atomic>
#include <cassert>
#include <thread>

int main() {
    std::atomic<int> ran{0};
    int accepted = 0;
    {
        heddle::thread_pool pool(2);
        std::thread submitter([&] {
            try {
                for (; accepted < 3; ++accepted) pool.post([&] { ++ran; });
            } catch (const heddle::shutdown_error&) {
            }
        });
        pool.shutdown();
        submitter.join();
    }
    assert(ran == accepted);
}
