// std::ctype<char>::narrow keeps a cache in an object of libstdc++.so, written by inline code: not
// the program's race.
#include <cassert>
#include <locale>
#include <thread>

int main() {
    auto narrow = [] {
        const auto& facet = std::use_facet<std::ctype<char>>(std::locale::classic());
        assert(facet.narrow('x', '?') == 'x');
    };
    std::thread a(narrow), b(narrow);
    a.join();
    b.join();
}
