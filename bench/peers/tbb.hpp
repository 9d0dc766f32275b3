/// oneTBB's task_arena::enqueue: first-in first-out, fire and forget; futures are a packaged_task.
/// Its task_group, whose caller works along, is measured where that is the question.
#pragma once

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <cstddef>
#include <future>
#include <memory>
#include <utility>

namespace bench {

class tbb_pool {
public:
    static constexpr const char* name = "tbb";
    /// oneTBB starts one thread fewer than there are cores unless it is allowed more.
    explicit tbb_pool(int workers)
        : allowed_(tbb::global_control::max_allowed_parallelism,
                   static_cast<std::size_t>(workers) + 1),
          arena_(workers, 0) {
        arena_.initialize();
    }

    template <class F>
    void post(F f) {
        arena_.enqueue(std::move(f));
    }
    template <class F>
    auto submit(F f) {
        using task = std::packaged_task<decltype(f())()>;
        auto shared = std::make_shared<task>(std::move(f));
        auto result = shared->get_future();
        arena_.enqueue([shared] { (*shared)(); });
        return result;
    }
    template <class T>
    static T get(std::future<T>& f) {
        return f.get();
    }

private:
    tbb::global_control allowed_;
    tbb::task_arena arena_;
};

} // namespace bench
