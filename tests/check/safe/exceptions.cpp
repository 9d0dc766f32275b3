#include <cassert>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
std::mutex m;
std::exception_ptr caught;
struct problem {
    std::string text;
};
int main() {
    std::thread a([] {
        try {
            throw problem{"something long enough to be on the heap, surely"};
        } catch (...) {
            std::lock_guard l(m);
            caught = std::current_exception();
        }
    });
    a.join();
    try {
        if (caught) std::rethrow_exception(caught);
    } catch (const problem& p) {
        assert(p.text.size() > 10);
    }
    caught = nullptr;
}
