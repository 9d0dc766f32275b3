// A promise is fulfilled while one thread waits for it, one looks, and the last handle goes.
#include <heddle/future.hpp>
#include <heddle/promise.hpp>

#include <cassert>
#include <string>
#include <thread>

int main() {
    heddle::promise<std::string> p;
    heddle::future<std::string> f = p.get_future();
    heddle::future<std::string> g = f;
    std::thread giver([p = std::move(p)]() mutable { p.set_value("a value that needs the heap"); });
    std::thread looker([g = std::move(g)]() mutable {
        if (g.done()) assert(g.result().size() == 27);
    });
    const std::string got = f.result();
    assert(got.size() == 27);
    f = {};
    giver.join();
    looker.join();
}
