// A cache moves what was used to the front, under a lock that readers share. The links of a list
// are changed by a function that is compiled into libstdc++.so.
#include <list>
#include <mutex>
#include <shared_mutex>
#include <thread>

class recent {
public:
    int front_after_use_of(int value) {
        std::shared_lock lock(mutex_);
        for (auto i = order_.begin(); i != order_.end(); ++i)
            if (*i == value) {
                order_.splice(order_.begin(), order_, i);
                break;
            }
        return order_.front();
    }

private:
    std::shared_mutex mutex_;
    std::list<int> order_{1, 2, 3};
};

int main() {
    recent all;
    std::thread a([&] { all.front_after_use_of(2); });
    std::thread b([&] { all.front_after_use_of(3); });
    a.join();
    b.join();
}
