#include <cassert>
#include <future>
#include <string>
#include <thread>
int main() {
    std::promise<std::string> p;
    auto f = p.get_future().share();
    std::thread a([&] { p.set_value("a text that is too long to be stored in place"); });
    std::thread b([f] { assert(f.get().size() > 20); });
    assert(f.get().size() > 20);
    a.join();
    b.join();
}
