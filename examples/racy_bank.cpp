// Lesson: a lock around every access is not enough. What was checked under one lock may no longer
// hold under the next. `heddle check` finds the schedule that makes the balance negative.
#include <cassert>
#include <mutex>
#include <thread>

struct bank_account {
    int get() {
        std::lock_guard lock(mutex);
        return balance;
    }
    void take(int amount) {
        std::lock_guard lock(mutex);
        balance -= amount;
    }

    std::mutex mutex;
    int balance = 100;
};

void withdraw(bank_account& from, int amount) {
    if (from.get() >= amount) from.take(amount);
}

int main() {
    bank_account account;
    std::thread alice([&] { withdraw(account, 80); });
    std::thread bob([&] { withdraw(account, 60); });
    alice.join();
    bob.join();
    assert(account.get() >= 0);
}
