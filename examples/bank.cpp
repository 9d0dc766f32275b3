// Lesson: read, add, write. Two clerks pay into one account at the same time; then the account
// gets a lock.
//
// What to notice: Anna reads 5, and before she writes 6, Ben reads 5 too. Both write 6: two
// payments, and only one of them is in the account. The lock turns the three steps into one that
// nobody can get between. `heddle::guarded` goes further: the balance cannot even be reached
// without holding the lock, so nobody can forget it.
#include <heddle/event.hpp>
#include <heddle/guarded.hpp>
#include <heddle/print.hpp>
#include <heddle/thread.hpp>
#include <heddle/thread_pool.hpp>

#include <atomic>
#include <mutex>
#include <string>

/// The three steps of `balance = balance + 1`, apart, so that somebody can come in between.
class careless_account {
public:
    int read() const { return balance_; }
    void write(int balance) { balance_ = balance; }

private:
    std::atomic<int> balance_ = 5;
};

class careful_account {
public:
    void pay_in(int amount) {
        const std::lock_guard held(lock_);
        balance_ = balance_ + amount;
    }
    int balance() const {
        const std::lock_guard held(lock_);
        return balance_;
    }

private:
    mutable std::mutex lock_;
    int balance_ = 0;
};

int walk_through() {
    careless_account account;
    heddle::event anna_has_read, ben_has_written;
    heddle::thread anna([&] {
        const int balance = account.read();
        heddle::print("Anna reads", balance);
        anna_has_read.set();
        ben_has_written.wait(); // Anna is interrupted here, at the worst moment
        account.write(balance + 1);
        heddle::print("Anna writes", balance + 1);
    });
    heddle::thread ben([&] {
        anna_has_read.wait();
        const int balance = account.read();
        heddle::print("Ben reads", balance);
        account.write(balance + 1);
        heddle::print("Ben writes", balance + 1);
        ben_has_written.set();
    });
    anna.join();
    ben.join();
    heddle::print("5 + 1 + 1 =", account.read());
    return account.read();
}

int main() {
    const int lost = walk_through();

    careful_account locked;
    heddle::guarded<int> guarded(0);
    {
        heddle::thread_pool clerks({.max_workers = 10});
        for (int payment = 0; payment < 1000; ++payment) {
            clerks.post([&] { locked.pay_in(1); });
            clerks.post([&] { guarded.with([](int& balance) { balance += 1; }); });
        }
    } // the pool runs what is queued before it goes
    heddle::print("1000 payments, with a lock:", locked.balance());
    heddle::print("1000 payments, guarded:", guarded.get());
    heddle::print(
        "5 + 1 + 1 =", std::to_string(lost) + "; with a lock:", locked.balance(), "of 1000");
}
