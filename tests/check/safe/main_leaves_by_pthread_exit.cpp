#include <pthread.h>

#include <thread>
int main() {
    std::thread([] { std::this_thread::yield(); }).detach();
    pthread_exit(nullptr);
}
