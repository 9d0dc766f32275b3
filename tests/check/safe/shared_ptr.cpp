#include <cassert>
#include <memory>
#include <thread>
struct data {
    int value = 7;
};
int main() {
    auto p = std::make_shared<data>();
    std::thread a([p] { assert(p->value == 7); });
    std::thread b([p] { assert(p->value == 7); });
    p.reset();
    a.join();
    b.join();
}
