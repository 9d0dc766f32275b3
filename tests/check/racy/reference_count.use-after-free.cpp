// Counts down in one step and looks in another: both may believe to be the last.
#include <atomic>
#include <thread>
struct shared {
    std::atomic<int> count{2};
};
void release(shared* s) {
    --s->count;
    if (s->count == 0) delete s;
}
int main() {
    auto* s = new shared;
    std::thread a(release, s), b(release, s);
    a.join();
    b.join();
}
