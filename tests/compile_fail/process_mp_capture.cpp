// expect: the callable has captures or members, and another process cannot see them
#include <heddle/mp.hpp>

void capture() {
    int local = 1;
    heddle::mp::process child([&local] { local = 2; });
}
