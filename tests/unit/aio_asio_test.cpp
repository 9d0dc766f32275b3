/// Asio's operations in tasks: on loopback sockets, timers, signals; each one cancelled.
#include "support/lost_failures.hpp"

#include <heddle/aio.hpp>
#include <heddle/aio_asio.hpp>

#include <gtest/gtest.h>

#include <array>
#include <asio.hpp>
#include <chrono>
#include <csignal>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace aio = heddle::aio;
using asio::ip::tcp;
using heddle::test::lost_failures;

namespace {

tcp::endpoint any_port() {
    return {asio::ip::address_v4::loopback(), 0};
}
/// Two connected sockets of the running loop.
aio::task<std::pair<tcp::socket, tcp::socket>> connected() {
    tcp::acceptor acceptor(aio::io_context(), any_port());
    tcp::socket client(aio::io_context());
    const auto connecting =
        aio::spawn(client.async_connect(acceptor.local_endpoint(), aio::use_task));
    tcp::socket server = co_await acceptor.async_accept(aio::use_task);
    co_await connecting;
    co_return std::pair(std::move(client), std::move(server));
}

TEST(AioAsio, SocketsTalk) {
    struct code {
        static aio::task<> main() {
            auto ends = co_await connected();
            const std::string sent = "twelve bytes";
            const std::size_t written =
                co_await asio::async_write(ends.first, asio::buffer(sent), aio::use_task);
            EXPECT_EQ(written, sent.size());
            std::array<char, 64> buffer{};
            const std::size_t read =
                co_await ends.second.async_read_some(asio::buffer(buffer), aio::use_task);
            EXPECT_EQ(std::string(buffer.data(), read), sent);
            ends.first.close();
            try {
                (void)co_await ends.second.async_read_some(asio::buffer(buffer), aio::use_task);
                ADD_FAILURE();
            } catch (const std::system_error& e) {
                EXPECT_EQ(e.code(), asio::error::eof);
            }
        }
    };
    aio::run(code::main());
}

TEST(AioAsio, TimersOfBothKindsWakeTheLoop) {
    struct code {
        static aio::task<int> asios(int ms) {
            asio::steady_timer timer(aio::io_context(), std::chrono::milliseconds(ms));
            co_await timer.async_wait(aio::use_task);
            co_return ms;
        }
        static aio::task<int> ours(int ms) {
            co_await aio::sleep_for(std::chrono::milliseconds(ms));
            co_return ms;
        }
        static aio::task<> main() {
            const auto all = co_await aio::gather(asios(9), ours(6), asios(3), ours(0));
            EXPECT_EQ(std::get<0>(all) + std::get<1>(all) + std::get<2>(all), 18);
        }
    };
    aio::run(code::main());
}

TEST(AioAsio, ABusyLoopStillHearsTheWorld) {
    struct code {
        static aio::task<> spin(const bool& stop) {
            while (!stop) co_await aio::sleep_for(0s);
        }
        static aio::task<> main() {
            bool stop = false;
            const auto busy = aio::spawn(spin(stop));
            auto ends = co_await connected();
            char byte = 'x';
            (void)co_await ends.first.async_write_some(asio::buffer(&byte, 1), aio::use_task);
            (void)co_await ends.second.async_read_some(asio::buffer(&byte, 1), aio::use_task);
            co_await asio::post(aio::io_context(), aio::use_task);
            stop = true;
            co_await busy;
        }
    };
    aio::run(code::main());
}

/// Runs each operation, which would never end, under a limit: the limit must end it, the frame's
/// destructors must run, and the objects must be usable afterwards.
TEST(AioAsio, EachOperationIsCancelled) {
    struct code {
        static aio::task<> expect_cut(const char* name, aio::task<> work) {
            bool ended_by_limit = false;
            try {
                co_await aio::timeout(5ms, std::move(work));
            } catch (const heddle::timeout_error&) {
                ended_by_limit = true;
            }
            EXPECT_TRUE(ended_by_limit) << name;
        }
        static aio::task<> read(tcp::socket& s) {
            std::array<char, 16> buffer;
            (void)co_await asio::async_read(s, asio::buffer(buffer), aio::use_task);
        }
        static aio::task<> read_line(tcp::socket& s) {
            std::string line;
            (void)co_await asio::async_read_until(
                s, asio::dynamic_buffer(line), '\n', aio::use_task);
        }
        static aio::task<> write(tcp::socket& s) {
            const std::vector<char> much(100'000'000);
            (void)co_await asio::async_write(s, asio::buffer(much), aio::use_task);
        }
        static aio::task<> accept(tcp::acceptor& a) {
            (void)co_await a.async_accept(aio::use_task);
        }
        static aio::task<> wait(asio::steady_timer& t) { co_await t.async_wait(aio::use_task); }
        static aio::task<> signal(asio::signal_set& s) {
            (void)co_await s.async_wait(aio::use_task);
        }
        static aio::task<> ready(tcp::socket& s) {
            co_await s.async_wait(tcp::socket::wait_read, aio::use_task);
        }
        static aio::task<> main() {
            auto ends = co_await connected();
            co_await expect_cut("read", read(ends.first));
            co_await expect_cut("read_until", read_line(ends.first));
            co_await expect_cut("wait_read", ready(ends.first));
            tcp::acceptor acceptor(aio::io_context(), any_port());
            co_await expect_cut("accept", accept(acceptor));
            asio::steady_timer timer(aio::io_context(), 1h);
            co_await expect_cut("timer", wait(timer));
            asio::signal_set signals(aio::io_context(), SIGUSR1);
            co_await expect_cut("signal", signal(signals));
            char byte = 'x';
            (void)co_await ends.second.async_write_some(asio::buffer(&byte, 1), aio::use_task);
            (void)co_await ends.first.async_read_some(asio::buffer(&byte, 1), aio::use_task);
            co_await expect_cut("write", write(ends.second));
        }
    };
    aio::run(code::main());
}

TEST(AioAsio, ACancelledTaskBeginsNothing) {
    struct code {
        static aio::task<> main(bool& begun) {
            aio::handle<void> h = aio::spawn(work(begun));
            co_await aio::sleep_for(0s);
            h.cancel();
            EXPECT_THROW(co_await h, heddle::cancelled_error);
        }
        static aio::task<> work(bool& begun) {
            try {
                co_await aio::sleep_for(1h);
            } catch (const heddle::cancelled_error&) {
            }
            co_await asio::post(aio::io_context(), aio::use_task);
            begun = true;
        }
    };
    bool begun = false;
    aio::run(code::main(begun));
    EXPECT_FALSE(begun);
}

TEST(AioAsio, SignalsArrive) {
    struct code {
        static aio::task<int> main() {
            asio::signal_set signals(aio::io_context(), SIGUSR1);
            auto waiting = aio::spawn(signals.async_wait(aio::use_task));
            co_await aio::sleep_for(0s);
            std::raise(SIGUSR1);
            co_return co_await std::move(waiting);
        }
    };
    EXPECT_EQ(aio::run(code::main()), SIGUSR1);
}

TEST(AioAsio, CtrlCReachesALoopThatSleepsInAsio) {
    struct code {
        static aio::task<> main() {
            asio::steady_timer timer(aio::io_context(), 1h);
            std::thread other([] { kill(getpid(), SIGINT); });
            std::exception_ptr why;
            try {
                co_await timer.async_wait(aio::use_task);
            } catch (...) {
                why = std::current_exception();
            }
            other.join();
            std::rethrow_exception(why);
        }
    };
    EXPECT_THROW(aio::run(code::main()), heddle::cancelled_error);
}

TEST(AioAsio, FuturesAndHandlesOfOtherThreadsWakeIt) {
    struct code {
        static aio::task<> main(heddle::thread_pool& pool) {
            (void)aio::io_context();
            for (int i = 0; i < 200; ++i) {
                EXPECT_EQ(co_await pool.submit([i] { return i; }), i);
            }
            const aio::handle<void> h = aio::spawn(aio::sleep_for(1h));
            co_await aio::sleep_for(0s);
            std::thread other([&] { h.cancel(); });
            EXPECT_THROW(co_await h, heddle::cancelled_error);
            other.join();
        }
    };
    heddle::thread_pool pool(1);
    aio::run(code::main(pool));
}

/// An io_context that another thread runs.
struct elsewhere {
    asio::io_context context;
    asio::executor_work_guard<asio::io_context::executor_type> work =
        asio::make_work_guard(context);
    std::thread thread{[this] { context.run(); }};
    ~elsewhere() {
        work.reset();
        context.stop();
        thread.join();
    }
};

TEST(AioAsio, OperationsOfAnotherContextComeBackToTheLoop) {
    struct code {
        static aio::task<> main(elsewhere& other) {
            const auto here = std::this_thread::get_id();
            for (int i = 0; i < 200; ++i) {
                co_await asio::post(other.context, aio::use_task);
                EXPECT_EQ(std::this_thread::get_id(), here);
            }
            asio::steady_timer timer(other.context, 1h);
            EXPECT_THROW(co_await aio::timeout(1ms, timer.async_wait(aio::use_task)),
                         heddle::timeout_error);
            // Ends and is cancelled at about the same time: either is right, none hangs.
            for (int i = 0; i < 200; ++i) {
                timer.expires_after(std::chrono::microseconds(i));
                try {
                    co_await aio::timeout(100us, timer.async_wait(aio::use_task));
                } catch (const heddle::timeout_error&) {
                }
            }
        }
    };
    elsewhere other;
    aio::run(code::main(other));
}

/// An operation of our own, to control how it ends.
template <class Signature, class Token>
auto async_call(std::function<void()> last, Token token, auto how) {
    return asio::async_initiate<Token, Signature>(
        [how, last](auto handler) {
            how(std::move(handler));
            last();
        },
        token);
}

TEST(AioAsio, EverySignatureGivesWhatItSays) {
    struct code {
        static aio::task<> main() {
            const auto nothing = [] {};
            const auto both = co_await async_call<void(std::error_code, int, std::string)>(
                nothing, aio::use_task, [](auto handler) {
                    asio::post(aio::io_context(), [h = std::move(handler)]() mutable {
                        std::move(h)(std::error_code(), 1, std::string("two"));
                    });
                });
            EXPECT_EQ(std::get<0>(both), 1);
            EXPECT_EQ(std::get<1>(both), "two");
            const auto moved = co_await async_call<void(std::unique_ptr<int>)>(
                nothing, aio::use_task, [](auto handler) {
                    asio::post(aio::io_context(), [h = std::move(handler)]() mutable {
                        std::move(h)(std::make_unique<int>(3));
                    });
                });
            EXPECT_EQ(*moved, 3);
            EXPECT_THROW(co_await async_call<void(std::exception_ptr)>(
                             nothing,
                             aio::use_task,
                             [](auto handler) {
                                 std::move(handler)(
                                     std::make_exception_ptr(std::logic_error("no")));
                             }),
                         std::logic_error);
        }
    };
    aio::run(code::main());
}

TEST(AioAsio, AnOperationThatIsDroppedOrCannotBeginIsAnError) {
    struct code {
        static aio::task<> main() {
            EXPECT_THROW(co_await async_call<void()>([] {}, aio::use_task, [](auto) {}),
                         std::system_error);
            EXPECT_THROW(co_await async_call<void()>(
                             [] { throw std::logic_error("no"); }, aio::use_task, [](auto) {}),
                         std::logic_error);
            co_await aio::sleep_for(0s);
        }
    };
    aio::run(code::main());
}

TEST(AioAsio, WhatAHandlerThrowsIsNotLost) {
    struct code {
        static aio::task<> main() {
            asio::post(aio::io_context(), [] { throw std::runtime_error("in a handler"); });
            co_await asio::post(aio::io_context(), aio::use_task);
        }
    };
    lost_failures lost;
    aio::run(code::main(), {.watchdog = 0ms});
    ASSERT_EQ(lost.count(), 1u);
    EXPECT_EQ(lost.text(0), "std::runtime_error: in a handler");
}

TEST(AioAsio, NeedsALoop) {
    EXPECT_THROW((void)aio::io_context(), heddle::invalid_state_error);
}

} // namespace
