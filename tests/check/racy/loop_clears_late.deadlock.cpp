// An event loop takes the jobs first and clears the bell afterwards: with it goes the ring for what
// came in between.
#include <poll.h>
#include <sys/eventfd.h>

#include <deque>
#include <mutex>
#include <thread>

std::mutex lock;
std::deque<int> jobs;
int bell;

void post(int job) {
    {
        std::lock_guard guard(lock);
        jobs.push_back(job);
    }
    eventfd_write(bell, 1);
}

void run(int expected) {
    pollfd rung{bell, POLLIN, 0};
    for (int done = 0; done < expected;) {
        poll(&rung, 1, -1);
        {
            std::lock_guard guard(lock);
            for (; !jobs.empty(); ++done) jobs.pop_front();
        }
        eventfd_t rings = 0;
        eventfd_read(bell, &rings);
    }
}

int main() {
    bell = eventfd(0, 0);
    std::thread loop(run, 2);
    post(1);
    post(2);
    loop.join();
}
