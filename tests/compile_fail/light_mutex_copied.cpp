// expect: (use of|call to) deleted (function|constructor).*light_mutex
#include <heddle/detail/parking.hpp>

heddle::detail::light_mutex one;
heddle::detail::light_mutex two = one;
