// expect: (deleted|implicitly)
#include <heddle/future.hpp>

heddle::promise<int> twice(const heddle::promise<int>& p) {
    return p;
}
