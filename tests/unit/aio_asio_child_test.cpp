/// Child processes in tasks: what they write, how they end, and that cancelling ends them.
#include <heddle/aio.hpp>
#include <heddle/aio_asio.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio.hpp>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace aio = heddle::aio;

namespace {

using stream = asio::posix::stream_descriptor;

/// A shell that runs, and whose output is read; killed and reaped if it goes before its end.
class shell {
public:
    explicit shell(std::string script) : out_(aio::io_context()), ended_(aio::io_context()) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category());
        out_.assign(ends[0]);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        std::string name = "sh", option = "-c";
        char* const words[] = {name.data(), option.data(), script.data(), nullptr};
        const int failed = posix_spawnp(&id_, "sh", &actions, nullptr, words, environ);
        posix_spawn_file_actions_destroy(&actions);
        close(ends[1]);
        if (failed != 0) throw std::system_error(failed, std::generic_category(), "sh");
        ended_.assign(static_cast<int>(syscall(SYS_pidfd_open, id_, 0)));
    }
    shell(const shell&) = delete;
    shell& operator=(const shell&) = delete;
    ~shell() {
        if (id_ == 0) return;
        kill(id_, SIGKILL);
        waitpid(id_, nullptr, 0);
    }

    pid_t id() const { return id_; }
    aio::task<std::string> line() {
        std::string text;
        const std::size_t length =
            co_await asio::async_read_until(out_, asio::dynamic_buffer(text), '\n', aio::use_task);
        co_return text.substr(0, length);
    }
    aio::task<int> exit_code() {
        co_await ended_.async_wait(stream::wait_read, aio::use_task); // a pidfd says when
        int status = 0;
        waitpid(std::exchange(id_, 0), &status, 0);
        co_return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

private:
    stream out_;
    stream ended_;
    pid_t id_ = 0;
};

TEST(AioAsioChild, IsHeardAndAwaitedBesideOthers) {
    struct code {
        static aio::task<int> talk(int n) {
            shell child("echo $((" + std::to_string(n) + " * 2)); exit " + std::to_string(n));
            const std::string said = co_await child.line();
            EXPECT_EQ(said, std::to_string(2 * n) + "\n");
            co_return co_await child.exit_code();
        }
        static aio::task<> main() {
            std::vector<aio::task<int>> all;
            for (int n = 0; n < 5; ++n) all.push_back(talk(n));
            const std::vector<int> codes = co_await aio::gather(std::move(all));
            EXPECT_EQ(codes, (std::vector{0, 1, 2, 3, 4}));
        }
    };
    aio::run(code::main());
}

TEST(AioAsioChild, IsKilledWhenItsTaskIsCancelled) {
    struct code {
        static aio::task<> stay(aio::queue<pid_t>& running) {
            shell child("echo here; exec sleep 1000");
            (void)co_await child.line();
            co_await running.put(child.id());
            (void)co_await child.exit_code();
        }
        static aio::task<> main() {
            aio::queue<pid_t> running;
            const auto staying = aio::spawn(stay(running));
            const pid_t id = co_await running.get();
            EXPECT_EQ(kill(id, 0), 0);
            staying.cancel();
            EXPECT_THROW(co_await staying, heddle::cancelled_error);
            EXPECT_EQ(kill(id, 0), -1);
            EXPECT_EQ(errno, ESRCH);
        }
    };
    aio::run(code::main());
}

TEST(AioAsioChild, MayBeAwaitedByItsSignal) {
    struct code {
        static aio::task<int> main() {
            asio::signal_set ends(aio::io_context(), SIGCHLD); // before there is a child
            const pid_t id = fork();
            if (id == 0) _exit(7);
            int status = 0;
            while (waitpid(id, &status, WNOHANG) == 0) {
                (void)co_await ends.async_wait(aio::use_task);
            }
            co_return WEXITSTATUS(status);
        }
    };
    EXPECT_EQ(aio::run(code::main()), 7);
}

} // namespace
