/// Heddle's pool in the shape that the benchmarks use. Every adapter has `name`, a constructor that
/// takes the number of workers, `post(f)`, `submit(f)`, which returns a handle, and `get(handle)`.
#pragma once

#include <heddle/thread_pool.hpp>

#include <utility>

namespace bench {

class heddle_pool {
public:
    static constexpr const char* name = "heddle";
    explicit heddle_pool(int workers) : pool_(workers) {}

    template <class F>
    void post(F f) {
        pool_.post(std::move(f));
    }
    template <class F>
    auto submit(F f) {
        return pool_.submit(std::move(f));
    }
    template <class T>
    static T get(heddle::future<T>& f) {
        return f.result();
    }
    heddle::thread_pool& native() { return pool_; }

private:
    heddle::thread_pool pool_;
};

} // namespace bench
