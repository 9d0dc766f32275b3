// Signals by which threads wake each other: one waits with sigwait() until it is sent home, main
// sleeps in sigsuspend() until the other has done its part.
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <thread>

int requests = 0; // by the signals alone it is known whose turn it is to use it
volatile std::sig_atomic_t woken = 0;

void on_done(int) {
    woken = 1;
}

int main() {
    sigset_t ours, before;
    sigemptyset(&ours);
    for (int number : {SIGUSR1, SIGUSR2, SIGTERM}) sigaddset(&ours, number);
    pthread_sigmask(SIG_BLOCK, &ours, &before);
    std::signal(SIGUSR2, on_done);

    std::thread servant([&] {
        for (int number = 0; number != SIGTERM;) {
            sigwait(&ours, &number);
            if (number != SIGUSR1) continue;
            requests++;
            kill(getpid(), SIGUSR2);
            sigset_t sent_home;
            sigemptyset(&sent_home);
            sigaddset(&sent_home, SIGTERM);
            number = sigwaitinfo(&sent_home, nullptr);
        }
        requests++;
    });

    requests++;
    sigset_t others = ours;
    sigdelset(&others, SIGUSR2);
    pthread_kill(servant.native_handle(), SIGUSR1);
    while (woken == 0) sigsuspend(&others);
    requests++;
    pthread_kill(servant.native_handle(), SIGTERM);
    servant.join();

    const timespec a_moment{0, 1000};
    const bool none_left = sigtimedwait(&ours, nullptr, &a_moment) == -1;
    return requests == 4 && none_left ? 0 : 1;
}
