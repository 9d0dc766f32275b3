// expect: no matching.*submit
#include <heddle/thread_pool.hpp>

struct explosive {
    ~explosive() noexcept(false);
    void operator()() const;
};

void wrong(heddle::thread_pool& pool) {
    auto f = pool.submit(explosive());
}
