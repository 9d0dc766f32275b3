// libstdc++ 12's own std::counting_semaphore: a release between an acquirer's look at the counter
// and its sleep is not noticed (GCC bug 98033). Newer libraries have mended it.
#include <semaphore>
#include <thread>
std::counting_semaphore<> s(0);
int main() {
    std::thread a([] { s.acquire(); }), b([] { s.acquire(); });
    std::thread c([] { s.release(); }), d([] { s.release(); });
    a.join();
    b.join();
    c.join();
    d.join();
}
