// expect: an outcome could not tell an exception_ptr that was returned from a failure
#include <heddle/future.hpp>

void use(const heddle::future<std::exception_ptr>& caught) {
    (void)caught.outcome();
}
