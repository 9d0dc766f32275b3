// expect: what processes share in memory must be trivially copyable
#include <heddle/mp.hpp>

#include <string>

void share() {
    heddle::mp::shared_value<std::string> text("abc");
}
