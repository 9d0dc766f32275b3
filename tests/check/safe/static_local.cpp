#include <cassert>
#include <thread>
struct config {
    int value;
    config() : value(9) {}
};
int get() {
    static config c;
    return c.value;
}
int main() {
    std::thread a([] { assert(get() == 9); });
    std::thread b([] { assert(get() == 9); });
    a.join();
    b.join();
}
