// Each waits for the other's result.
#include <future>
#include <thread>
int main() {
    std::promise<int> p, q;
    std::thread a([&] { p.set_value(q.get_future().get()); });
    std::thread b([&] { q.set_value(p.get_future().get()); });
    a.join();
    b.join();
}
