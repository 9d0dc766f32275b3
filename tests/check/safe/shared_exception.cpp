// Two threads look at one exception object; whoever is last destroys it.
#include <cassert>
#include <exception>
#include <thread>
struct problem {
    int code = 3;
    ~problem() { code = -1; }
};
int main() {
    std::exception_ptr caught;
    try {
        throw problem{};
    } catch (...) {
        caught = std::current_exception();
    }
    auto look = [](std::exception_ptr mine) {
        try {
            std::rethrow_exception(std::move(mine));
        } catch (const problem& e) {
            assert(e.code == 3);
        }
    };
    std::thread a(look, caught), b(look, caught);
    caught = nullptr;
    a.join();
    b.join();
}
