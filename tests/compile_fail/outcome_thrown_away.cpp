// expect: ignoring return(ed)? value.*nodiscard
#pragma GCC diagnostic error "-Wunused-result"
#include <heddle/outcome.hpp>

heddle::outcome<int> parse();

void careless() {
    parse();
}
