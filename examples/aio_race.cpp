// Lesson: a race needs no second thread. Check, await, act: another coroutine runs in between.
//
// What to notice: the two withdrawals never run at the same instant, and data is safe between two
// awaits. It is not across one. The cure is a lock that may be held across an await, or to check
// again after it.
#include <heddle/aio.hpp>
#include <heddle/print.hpp>

#include <chrono>

using namespace std::chrono_literals;
namespace aio = heddle::aio;

struct account {
    int balance = 100;
    aio::mutex mutex;
};

aio::task<> ask_the_bank() {
    co_await aio::sleep_for(10ms);
}

aio::task<bool> withdraw(account& from, int amount) {
    if (from.balance < amount) co_return false; // checked here,
    co_await ask_the_bank();                    // the other one runs,
    from.balance -= amount;                     // and done on what was true before
    co_return true;
}

aio::task<bool> withdraw_safely(account& from, int amount) {
    const aio::mutex::guard alone = co_await from.mutex.lock();
    if (from.balance < amount) co_return false;
    co_await ask_the_bank();
    from.balance -= amount;
    co_return true;
}

aio::task<> main_task() {
    account careless;
    const auto both = co_await aio::gather(withdraw(careless, 80), withdraw(careless, 80));
    heddle::print("check, await, act:",
                  std::get<0>(both) + std::get<1>(both),
                  "paid, balance",
                  careless.balance);

    account careful;
    const auto one =
        co_await aio::gather(withdraw_safely(careful, 80), withdraw_safely(careful, 80));
    heddle::print(
        "with a lock:", std::get<0>(one) + std::get<1>(one), "paid, balance", careful.balance);
}

int main() {
    aio::run(main_task());
}
