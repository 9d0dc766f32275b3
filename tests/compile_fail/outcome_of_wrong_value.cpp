// expect: (conversion from|could not convert|no viable conversion).*outcome<int>
#include <heddle/outcome.hpp>

#include <string>

heddle::outcome<int> parsed = std::string("7");
