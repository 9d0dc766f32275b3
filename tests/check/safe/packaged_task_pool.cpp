#include <cassert>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <vector>
class pool {
public:
    explicit pool(int n) {
        for (int i = 0; i < n; ++i) workers_.emplace_back([this] { run(); });
    }
    ~pool() {
        {
            std::lock_guard l(m_);
            closed_ = true;
        }
        cv_.notify_all();
        for (auto& w : workers_) w.join();
    }
    std::future<int> submit(std::function<int()> f) {
        std::packaged_task<int()> task(std::move(f));
        auto result = task.get_future();
        {
            std::lock_guard l(m_);
            tasks_.push_back(std::move(task));
        }
        cv_.notify_one();
        return result;
    }

private:
    void run() {
        for (;;) {
            std::packaged_task<int()> task;
            {
                std::unique_lock l(m_);
                cv_.wait(l, [&] { return closed_ || !tasks_.empty(); });
                if (tasks_.empty()) return;
                task = std::move(tasks_.front());
                tasks_.pop_front();
            }
            task();
        }
    }
    std::mutex m_;
    std::condition_variable cv_;
    std::deque<std::packaged_task<int()>> tasks_;
    bool closed_ = false;
    std::vector<std::thread> workers_;
};
int main() {
    pool p(2);
    auto a = p.submit([] { return 1; }), b = p.submit([] { return 2; });
    assert(a.get() + b.get() == 3);
}
