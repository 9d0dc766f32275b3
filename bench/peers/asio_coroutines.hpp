/// Standalone Asio's own coroutines and callbacks, on one io_context in one thread.
#pragma once

#include <array>
#include <asio.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <utility>

namespace bench {

inline constexpr int echoes = 20'000;
inline constexpr std::size_t echo_bytes = 16;

/// Two ends of a loopback connection, with Nagle's delay off.
inline std::pair<asio::ip::tcp::socket, asio::ip::tcp::socket> connected(asio::io_context& in) {
    using asio::ip::tcp;
    tcp::acceptor acceptor(in, {asio::ip::address_v4::loopback(), 0});
    tcp::socket client(in);
    client.connect(acceptor.local_endpoint());
    tcp::socket server = acceptor.accept();
    client.set_option(tcp::no_delay(true));
    server.set_option(tcp::no_delay(true));
    return {std::move(client), std::move(server)};
}

struct asio_coroutines {
    static constexpr const char* name = "asio";
    static constexpr int awaits = 1'000'000, tasks = 100'000;
    using unawaited = asio::awaitable<void>;

    static asio::awaitable<int> one() { co_return 1; }
    static asio::awaitable<void> await_many(int& sum) {
        for (int i = 0; i < awaits; ++i) {
            const int x = co_await one();
            sum += x;
        }
    }
    static asio::awaitable<void> yield_once() { co_await asio::post(asio::use_awaitable); }
    static asio::awaitable<void> switch_many() {
        for (int i = 0; i < awaits; ++i) co_await asio::post(asio::use_awaitable);
    }
    static asio::awaitable<void> sleep(int ms) {
        asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(ms));
        co_await timer.async_wait(asio::use_awaitable);
    }
    static asio::awaitable<void> empty() { co_return; }
    static asio::awaitable<void> make_task() { return empty(); }

    static asio::awaitable<void> answer(asio::ip::tcp::socket end) {
        std::array<char, echo_bytes> buffer;
        for (int i = 0; i < echoes; ++i) {
            co_await end.async_read_some(asio::buffer(buffer), asio::use_awaitable);
            co_await end.async_write_some(asio::buffer(buffer), asio::use_awaitable);
        }
    }
    static asio::awaitable<void> ask(asio::ip::tcp::socket end) {
        std::array<char, echo_bytes> buffer{};
        for (int i = 0; i < echoes; ++i) {
            co_await end.async_write_some(asio::buffer(buffer), asio::use_awaitable);
            co_await end.async_read_some(asio::buffer(buffer), asio::use_awaitable);
        }
    }

    static int run_awaits() {
        int sum = 0;
        asio::io_context in(1);
        asio::co_spawn(in, await_many(sum), asio::detached);
        in.run();
        return sum;
    }
    /// There is no gather in this version: each counts itself as done.
    static void run_gather() {
        asio::io_context in(1);
        int done = 0;
        for (int i = 0; i < tasks; ++i) {
            asio::co_spawn(in, yield_once(), [&done](const std::exception_ptr&) { ++done; });
        }
        in.run();
    }
    static void run_switches() {
        asio::io_context in(1);
        asio::co_spawn(in, switch_many(), asio::detached);
        in.run();
    }
    static void run_timers() {
        asio::io_context in(1);
        for (int i = 0; i < tasks; ++i) asio::co_spawn(in, sleep(i * 7919 % 1000), asio::detached);
        in.run();
    }
    static void run_echo() {
        asio::io_context in(1);
        auto ends = connected(in);
        asio::co_spawn(in, answer(std::move(ends.first)), asio::detached);
        asio::co_spawn(in, ask(std::move(ends.second)), asio::detached);
        in.run();
    }
};

/// The same echo without coroutines: Asio at its barest.
struct asio_callbacks {
    static constexpr const char* name = "asio_callbacks";

    struct end {
        asio::ip::tcp::socket socket;
        std::array<char, echo_bytes> buffer{};
        int left = echoes;
        bool asks = false;

        void write() {
            socket.async_write_some(asio::buffer(buffer),
                                    [this](const asio::error_code& e, std::size_t) {
                                        if (!e && (asks || --left != 0)) read();
                                    });
        }
        void read() {
            socket.async_read_some(asio::buffer(buffer),
                                   [this](const asio::error_code& e, std::size_t) {
                                       if (!e && (!asks || --left != 0)) write();
                                   });
        }
    };
    static void run_echo() {
        asio::io_context in(1);
        auto ends = connected(in);
        end server{std::move(ends.first)};
        end client{std::move(ends.second)};
        client.asks = true;
        server.read();
        client.write();
        in.run();
    }
};

} // namespace bench
