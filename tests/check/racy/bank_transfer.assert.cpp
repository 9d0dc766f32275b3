#include <cassert>
#include <mutex>
#include <thread>
struct account {
    std::mutex m;
    int money = 100;
} a, b;
int read(account& x) {
    std::lock_guard l(x.m);
    return x.money;
}
void write(account& x, int v) {
    std::lock_guard l(x.m);
    x.money = v;
}
void transfer(account& from, account& to, int sum) {
    write(from, read(from) - sum);
    write(to, read(to) + sum);
}
int main() {
    std::thread t([] { transfer(a, b, 10); });
    std::thread u([] { transfer(b, a, 20); });
    t.join();
    u.join();
    assert(a.money + b.money == 200);
}
