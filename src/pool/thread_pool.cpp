#include "pool.hpp"

#include <heddle/thread_pool.hpp>

namespace heddle {

thread_pool::thread_pool() : thread_pool(thread_pool_options{}) {}
thread_pool::thread_pool(int max_workers)
    : thread_pool(thread_pool_options{.max_workers = max_workers}) {}
thread_pool::thread_pool(thread_pool_options options)
    : pool_(detail::pool::start(std::move(options))) {}
thread_pool::~thread_pool() {
    pool_->close();
}

void thread_pool::shutdown(shutdown_options options) {
    pool_->shut_down(options);
}
int thread_pool::worker_count() const noexcept {
    return pool_->worker_count();
}
std::size_t thread_pool::pending_count() const noexcept {
    return pool_->pending_count();
}

} // namespace heddle
