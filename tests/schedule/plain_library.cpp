// Work, results and items go between threads through a Heddle that was not instrumented, in a
// program that was. What the tasks share is ordered by nothing but the library.
#include <heddle/guarded.hpp>
#include <heddle/queue.hpp>
#include <heddle/sync.hpp>
#include <heddle/thread.hpp>
#include <heddle/thread_pool.hpp>

#include <cassert>
#include <string>
#include <vector>

int main() {
    std::vector<int> squares(4);
    int handed_over = 0;
    {
        heddle::thread_pool pool(2);
        std::vector<heddle::future<void>> parts;
        for (int i = 0; i < 4; ++i) {
            parts.push_back(pool.submit([&squares](int n) { squares[n] = n * n; }, i));
        }
        heddle::results(parts);
        assert(squares[3] == 9);

        heddle::event ready;
        auto waiter = pool.submit([&] {
            ready.wait();
            return handed_over;
        });
        handed_over = 7;
        ready.set();
        assert(waiter.result() == 7);
        assert(pool.submit([&] { return pool.submit([&] { return squares[2]; }).result(); })
                   .result() == 4);
    }
    heddle::queue<std::string> lines(1);
    heddle::thread reader([&] {
        std::size_t letters = 0;
        for (const std::string& line : lines) letters += line.size();
        return letters;
    });
    lines.put("warp");
    lines.put("and weft");
    lines.shutdown();
    assert(reader.result() == 12);
}
