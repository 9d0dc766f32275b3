// Two threads look at one exception object; whoever is last destroys it.
#include <cassert>
#include <future>
#include <string>
#include <thread>
struct problem {
    std::string text;
    int code = 3;
    virtual ~problem() { code = -1; }
};
int main() {
    std::promise<int> p;
    auto f = p.get_future().share();
    auto look = [](std::shared_future<int> mine) {
        try {
            mine.get();
        } catch (const problem& e) {
            assert(e.code == 3 && e.text.size() > 20);
        }
    };
    std::thread a(look, f), b(look, f);
    f = {};
    try {
        problem made;
        made.text = "a text that is too long to be stored in place";
        throw made;
    } catch (...) {
        p.set_exception(std::current_exception());
    }
    a.join();
    b.join();
}
