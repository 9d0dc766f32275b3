/// A simple pool on moodycamel's BlockingConcurrentQueue: the naive pool without its mutex.
#pragma once

#include <concurrentqueue/blockingconcurrentqueue.h>

#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

class moodycamel_pool {
public:
    static constexpr const char* name = "moodycamel";
    explicit moodycamel_pool(int workers) {
        for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
    }
    ~moodycamel_pool() {
        for (std::size_t i = 0; i < threads_.size(); ++i) tasks_.enqueue(nullptr);
        for (std::thread& t : threads_) t.join();
    }
    moodycamel_pool(const moodycamel_pool&) = delete;
    moodycamel_pool& operator=(const moodycamel_pool&) = delete;

    template <class F>
    void post(F f) {
        tasks_.enqueue(std::function<void()>(std::move(f)));
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
        moodycamel::ConsumerToken token(tasks_);
        std::function<void()> task;
        for (;;) {
            tasks_.wait_dequeue(token, task);
            if (!task) return;
            task();
            task = nullptr;
        }
    }

    moodycamel::BlockingConcurrentQueue<std::function<void()>> tasks_;
    std::vector<std::thread> threads_;
};

} // namespace bench
