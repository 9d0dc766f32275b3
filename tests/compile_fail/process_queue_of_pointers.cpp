// expect: a pointer means nothing in another process
#include <heddle/mp.hpp>

void pass(int* where) {
    heddle::mp::queue<int*> pointers(1);
    pointers.put(where);
}
