/// Standalone Asio's thread_pool; its futures are a packaged_task that is posted.
#pragma once

#include <asio/post.hpp>
#include <asio/thread_pool.hpp>
#include <cstddef>
#include <future>
#include <utility>

namespace bench {

class asio_pool {
public:
    static constexpr const char* name = "asio";
    explicit asio_pool(int workers) : pool_(static_cast<std::size_t>(workers)) {}
    ~asio_pool() { pool_.join(); }
    asio_pool(const asio_pool&) = delete;
    asio_pool& operator=(const asio_pool&) = delete;

    template <class F>
    void post(F f) {
        asio::post(pool_, std::move(f));
    }
    template <class F>
    auto submit(F f) {
        std::packaged_task<decltype(f())()> task(std::move(f));
        auto result = task.get_future();
        asio::post(pool_, std::move(task));
        return result;
    }
    template <class T>
    static T get(std::future<T>& f) {
        return f.get();
    }

private:
    asio::thread_pool pool_;
};

} // namespace bench
