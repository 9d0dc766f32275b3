#include <cassert>
#include <future>
#include <stdexcept>
int main() {
    auto a = std::async(std::launch::async, [] { return 1; });
    auto b = std::async(std::launch::async, []() -> int { throw std::runtime_error("no"); });
    assert(a.get() == 1);
    try {
        b.get();
        return 1;
    } catch (const std::runtime_error&) {
    }
}
