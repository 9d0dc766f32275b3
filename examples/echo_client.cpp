// Many conversations in one thread: `echo_client PORT TEXT...` sends each text over a connection of
// its own, all at the same time, and prints what comes back in the order of the texts.
//
// What to notice: each conversation reads from top to bottom, and has one limit for all of its
// steps.
#include <heddle/aio.hpp>
#include <heddle/aio_asio.hpp>
#include <heddle/print.hpp>

#include <asio.hpp>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace aio = heddle::aio;
using asio::ip::tcp;

aio::task<std::string> ask(unsigned short port, std::string text) {
    tcp::socket socket(aio::io_context());
    const tcp::endpoint server(asio::ip::address_v4::loopback(), port);
    co_await socket.async_connect(server, aio::use_task);
    co_await asio::async_write(socket, asio::buffer(text), aio::use_task);
    std::string answer(text.size(), '\0');
    co_await asio::async_read(socket, asio::buffer(answer), aio::use_task);
    co_return answer;
}

aio::task<> main_task(unsigned short port, std::vector<std::string> texts) {
    std::vector<aio::task<std::string>> asking;
    for (std::string& text : texts) asking.push_back(aio::timeout(5s, ask(port, std::move(text))));
    const auto answers = co_await aio::gather_outcomes(std::move(asking), {.limit = 100});
    for (auto answer : answers) {
        heddle::print(answer.has_value() ? answer.value() : "no answer");
    }
}

int main(int argc, char** argv) {
    if (argc < 2) {
        heddle::print("usage: echo_client PORT TEXT...");
        return 2;
    }
    const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
    aio::run(main_task(port, std::vector<std::string>(argv + 2, argv + argc)));
}
