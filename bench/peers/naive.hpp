/// The pool that everybody writes once: a mutex, a condition variable, a queue of std::function,
/// and a shared packaged_task for each future.
#pragma once

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

namespace bench {

class naive_pool {
public:
    static constexpr const char* name = "naive";
    explicit naive_pool(int workers) {
        for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
    }
    ~naive_pool() {
        {
            std::lock_guard lock(mutex_);
            stopped_ = true;
        }
        changed_.notify_all();
        for (std::thread& t : threads_) t.join();
    }
    naive_pool(const naive_pool&) = delete;
    naive_pool& operator=(const naive_pool&) = delete;

    template <class F>
    void post(F f) {
        {
            std::lock_guard lock(mutex_);
            tasks_.emplace(std::move(f));
        }
        changed_.notify_one();
    }
    template <class F>
    auto submit(F f) {
        using task = std::packaged_task<decltype(f())()>;
        auto shared = std::make_shared<task>(std::move(f));
        auto result = shared->get_future();
        post([shared] { (*shared)(); });
        return result;
    }
    template <class T>
    static T get(std::future<T>& f) {
        return f.get();
    }

private:
    void work() {
        for (;;) {
            std::function<void()> task;
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [this] { return stopped_ || !tasks_.empty(); });
                if (tasks_.empty()) return;
                task = std::move(tasks_.front());
                tasks_.pop();
            }
            task();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::queue<std::function<void()>> tasks_;
    bool stopped_ = false;
    std::vector<std::thread> threads_;
};

} // namespace bench
