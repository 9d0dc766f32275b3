#include <thread>
struct account {
    long id;
    long balance;
} savings{1, 100};
int main() {
    std::thread a([] { savings.balance -= 10; });
    std::thread b([] { savings.balance += 10; });
    a.join();
    b.join();
}
