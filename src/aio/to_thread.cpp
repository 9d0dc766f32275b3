#include <heddle/aio/to_thread.hpp>

namespace heddle::detail {

thread_pool& pool_for_blocking_calls() {
    static thread_pool pool({.max_workers = available_parallelism() + 4, .name = "aio"});
    return pool;
}

} // namespace heddle::detail
