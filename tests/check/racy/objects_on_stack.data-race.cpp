// The objects stand where those of the call before stood: whether setting their vptr changes
// anything depends on what a run leaves below the stack pointer, and a replay leaves other things.
#include <condition_variable>
#include <mutex>
#include <thread>

struct shape {
    virtual long area() const { return 1; }
    virtual ~shape() = default;
};
struct square : shape {
    long side = 2;
    long area() const override { return side * side; }
};

std::mutex guard;
std::condition_variable nobody_waits;
long total = 0, calls = 0;

__attribute__((noinline)) long measure() {
    const square many[256];
    long sum = 0;
    for (const square& s : many) sum += s.area();
    return sum;
}

void work() {
    for (int i = 0; i < 3; i++) {
        const long area = measure();
        {
            std::lock_guard lock(guard);
            total += area;
        }
        nobody_waits.notify_one();
        calls++;
    }
}

int main() {
    std::thread a(work), b(work);
    a.join();
    b.join();
    return total == 6 * 1024 && calls > 6 ? 1 : 0;
}
