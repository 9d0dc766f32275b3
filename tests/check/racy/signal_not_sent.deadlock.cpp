// The worker tells main by a signal, unless another worker was faster: then nobody does.
#include <pthread.h>

#include <atomic>
#include <csignal>
#include <thread>

std::atomic<int> first{0};
pthread_t waiter;

void work(int number) {
    int nobody = 0;
    first.compare_exchange_strong(nobody, number);
    if (number == 1 && first == 1) pthread_kill(waiter, SIGUSR1);
}

int main() {
    sigset_t done;
    sigemptyset(&done);
    sigaddset(&done, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &done, nullptr);
    waiter = pthread_self();
    std::thread a(work, 1), b(work, 2);
    int number = 0;
    sigwait(&done, &number);
    a.join();
    b.join();
    return 0;
}
