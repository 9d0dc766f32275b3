/// Faults F71 to F82: what workers, their children and the host program do to a process pool.
#include "support/ledger.hpp"
#include "support/process.hpp"
#include "support/sanitizers.hpp"

#include <heddle/mp.hpp>
#include <heddle/process_pool.hpp>

#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using heddle::broken_process_pool_error;
using heddle::future;
using heddle::process_pool;
using heddle::test::add;
using heddle::test::wait_for_ever;
using heddle::test::why_broken;
namespace mp = heddle::mp;

namespace {

void expect_says(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(WorkerFaults, F71AnIdleWorkerThatIsKilledIsReplaced) {
    process_pool pool(1);
    for (int i = 0; i < 5; ++i) {
        const pid_t worker = pool.submit(getpid).result();
        ASSERT_EQ(kill(worker, SIGKILL), 0);
        EXPECT_EQ(pool.submit(add, i, 1).result(), i + 1);
    }
}

TEST(WorkerFaults, F71AWorkerKilledWhileItSendsALargeResultFailsThatTaskOnly) {
    process_pool pool(1);
    const auto large = [](int n) { return std::vector<int>(4'000'000, n); };
    for (int i = 0; i < 3; ++i) {
        const pid_t worker = pool.submit(getpid).result();
        const auto sending = pool.submit({.name = "large"}, large, i);
        const auto next = pool.submit(add, i, 1);
        while (!sending.running() && !sending.done()) sched_yield();
        kill(worker, SIGKILL);
        EXPECT_EQ(next.result(), i + 1);
        if (sending.exception()) {
            EXPECT_THROW(sending.result(), broken_process_pool_error);
        } else {
            EXPECT_EQ(sending.result().back(), i);
        }
    }
}

TEST(WorkerFaults, F71TenThousandTasksWithWorkersKilledFromOutsideAreAllAccountedFor) {
    const int tasks = heddle::test::sanitized ? 2'000 : 10'000;
    heddle::test::ledger book;
    {
        process_pool pool(2);
        std::vector<future<int>> all;
        std::vector<future<pid_t>> workers;
        for (int i = 0; i < tasks; ++i) {
            all.push_back(book.track(pool.submit(add, i, 1)));
            if (i % 500 == 250) { // a worker goes while it has a queue of its own
                const pid_t victim = pool.submit(getpid).result();
                kill(victim, SIGKILL);
            }
        }
        for (int i = 0; i < tasks; ++i) {
            const future<int>& f = all[static_cast<std::size_t>(i)];
            if (!f.exception()) {
                EXPECT_EQ(f.result(), i + 1);
            }
        }
    }
    book.expect_balanced();
    EXPECT_EQ(book.submitted(), static_cast<unsigned>(tasks));
    EXPECT_LE(book.broken(), static_cast<unsigned>(tasks / 500)); // one a kill at most
    EXPECT_EQ(book.values() + book.broken(), book.submitted());
}

TEST(WorkerFaults, F71WhatAWorkerAnsweredOutlivesIt) {
    process_pool pool(1);
    std::vector<future<int>> all;
    const auto strike = [](int n) {
        if (n == 100) std::raise(SIGKILL);
        return n;
    };
    for (int i = 0; i < 200; ++i) all.push_back(pool.submit(strike, i));
    for (int i = 0; i < 200; ++i) {
        if (i == 100) EXPECT_THROW(all[100].result(), broken_process_pool_error);
        else EXPECT_EQ(all[static_cast<std::size_t>(i)].result(), i);
    }
}

TEST(WorkerFaults, F72AWorkerThatLeavesInATaskSaysWithWhichCode) {
    process_pool pool(1);
    expect_says(why_broken(pool.submit([] { _exit(0); }).exception()), "exit code 0");
    expect_says(why_broken(pool.submit([] { std::exit(4); }).exception()), "exit code 4");
}

int down(int n, int limit) {
    volatile char frame[4096] = {};
    frame[0] = static_cast<char>(n);
    return n == limit ? 0 : down(n + 1, limit) + frame[0];
}

TEST(WorkerFaults, F73AStackOverflowIsContained) {
    if (heddle::test::sanitized) GTEST_SKIP() << "the sanitizers report it in their own way";
    process_pool pool(1);
    const auto overflow = [] {
        prctl(PR_SET_DUMPABLE, 0);
        _exit(down(0, 1 << 30) == 0);
    };
    expect_says(why_broken(pool.submit({.name = "deep"}, overflow).exception()),
                "\"deep\" was lost");
    expect_says(why_broken(pool.submit(overflow).exception()), "SIGSEGV");
    EXPECT_EQ(pool.submit(add, 1, 2).result(), 3);
}

TEST(WorkerFaults, F75AWorkerThatSendsRubbishIsReplaced) {
    process_pool pool(1);
    const auto write_rubbish = [] {
        const std::string rubbish(1000, '\x5a');
        for (int fd = 3; fd < 6; ++fd) {
            if (write(fd, rubbish.data(), rubbish.size()) > 0) break;
        }
        wait_for_ever();
    };
    expect_says(why_broken(pool.submit(write_rubbish).exception()),
                "no frame of Heddle's protocol");
    EXPECT_EQ(pool.submit(add, 1, 2).result(), 3);
}

TEST(WorkerFaults, F76BothSidesMaySendMuchAtOnce) {
    process_pool pool(2);
    std::vector<future<std::vector<char>>> all;
    for (char c = 'a'; c < 'i'; ++c) {
        all.push_back(pool.submit([](std::vector<char> v) { return v; },
                                  std::vector<char>(std::size_t{4} << 20, c)));
    }
    char expected = 'a';
    for (const auto& f : all) EXPECT_EQ(f.result().back(), expected++);
}

TEST(WorkerFaults, F78AGrandchildThatHoldsThePipesHidesNoDeath) {
    process_pool pool(1);
    mp::queue<pid_t> grandchild;
    const auto leave_one_behind = [](mp::queue<pid_t> tell) {
        const pid_t left = fork();
        if (left == 0) wait_for_ever(); // has every descriptor of the worker
        tell.put(left);
        raise(SIGKILL);
    };
    expect_says(why_broken(pool.submit(leave_one_behind, grandchild).exception()), "SIGKILL");
    EXPECT_EQ(pool.submit(add, 1, 2).result(), 3);
    kill(grandchild.get(), SIGKILL);
}

TEST(WorkerFaults, OfATaskThatForksOnlyTheWorkerAnswers) {
    process_pool pool(1);
    const auto come_back_twice = [] {
        const pid_t copy = fork();
        if (copy == 0) return 1;
        int status = 0;
        waitpid(copy, &status, 0);
        return WIFEXITED(status) ? 2 + WEXITSTATUS(status) : 0;
    };
    EXPECT_EQ(pool.submit(come_back_twice).result(), 3);
    EXPECT_EQ(pool.submit(add, 1, 2).result(), 3);
}

TEST(WorkerFaults, F79AHostThatIgnoresItsChildrenLosesNoTask) {
    // In a process of its own, since it changes what SIGCHLD does.
    mp::process host([] {
        std::signal(SIGCHLD, SIG_IGN);
        process_pool pool(1);
        for (int i = 0; i < 3; ++i) {
            try {
                pool.submit([] { raise(SIGKILL); }).result();
                _exit(1);
            } catch (const broken_process_pool_error&) {
            }
            if (pool.submit(add, i, 1).result() != i + 1) _exit(2);
        }
        mp::process child([] { _exit(3); });
        child.join();
        _exit(child.exit_code() ? 3 : 0); // nobody can know it
    });
    host.join();
    EXPECT_EQ(host.exit_code(), 0);
}

TEST(WorkerFaults, F79AHostThatWaitsForAllChildrenLosesNoTask) {
    mp::process host([] {
        process_pool pool(1);
        const future<void> f = pool.submit([] { raise(SIGKILL); });
        while (waitpid(-1, nullptr, 0) > 0) continue; // takes the status before the pool can
        try {
            f.result();
        } catch (const broken_process_pool_error&) {
            _exit(pool.submit(add, 1, 2).result() == 3 ? 0 : 2);
        }
        _exit(1);
    });
    host.join();
    EXPECT_EQ(host.exit_code(), 0);
}

TEST(WorkerFaults, F80ATaskThatHangsIsEndedAndOthersGoOn) {
    process_pool pool({.max_workers = 2, .task_timeout = 200ms});
    std::vector<future<void>> hanging;
    std::vector<future<int>> others;
    for (int i = 0; i < 4; ++i) {
        hanging.push_back(pool.submit(wait_for_ever));
        others.push_back(pool.submit(add, i, 1));
    }
    for (const auto& f : hanging) EXPECT_THROW(f.result(), heddle::timeout_error);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(others[static_cast<std::size_t>(i)].result(), i + 1);
}

/// Runs in a process of its own, whose workers cannot be started: 0 if it is told all of `words`.
int told_why_no_worker_starts(const std::vector<std::string>& words) {
    process_pool pool(1);
    try {
        pool.submit(add, 1, 2).result();
    } catch (const broken_process_pool_error& e) {
        for (const std::string& word : words) {
            if (std::string(e.what()).find(word) != std::string::npos) continue;
            std::fprintf(stderr, "\"%s\" is missing in: %s\n", word.c_str(), e.what());
            return 2;
        }
        return 0;
    }
    return 1;
}

TEST(WorkerFaults, F81AProgramThatCannotBeExecutedSaysWhy) {
    mp::process host([] {
        const std::string huge(std::size_t{1} << 18, 'x'); // more than exec takes
        setenv("HEDDLE_TEST_HUGE", huge.c_str(), 1);
        _exit(told_why_no_worker_starts({"cannot start a worker", "Argument list too long"}));
    });
    host.join();
    EXPECT_EQ(host.exit_code(), 0);
}

TEST(WorkerFaults, F81ALibraryThatIsMissingIsToldInTheLoadersWords) {
    mp::process host([] {
        const std::string place = "/tmp/heddle-f81-" + std::to_string(getpid());
        const std::string library = place + "/libstdc++.so.6";
        std::filesystem::create_directory(place);
        std::ofstream(library) << "not a library";
        setenv("LD_LIBRARY_PATH", place.c_str(), 1);
        const int code = told_why_no_worker_starts({"exit code 127", library});
        std::filesystem::remove_all(place);
        _exit(code);
    });
    host.join();
    EXPECT_EQ(host.exit_code(), 0);
}

TEST(WorkerFaults, ALibraryThatWasReplacedByAnotherBuildIsTold) {
    mp::process host([] {
        const std::string place = "/tmp/heddle-build-" + std::to_string(getpid());
        const std::string library = place + "/libanswer.so";
        std::filesystem::create_directory(place);
        std::filesystem::copy_file(HEDDLE_TEST_LIBRARY_1, library);
        void* const loaded = dlopen(library.c_str(), RTLD_NOW);
        const auto answer = reinterpret_cast<int (*)()>(loaded ? dlsym(loaded, "answer") : nullptr);
        if (!answer) _exit(1);
        if (process_pool(1).submit(answer).result() != 1) _exit(2);
        std::filesystem::remove(library); // the one that is loaded here stays as it is
        std::filesystem::copy_file(HEDDLE_TEST_LIBRARY_2, library);
        std::string text = "nothing failed";
        try {
            process_pool(1).submit(answer).result();
        } catch (const heddle::error& e) {
            text = e.what();
        }
        std::filesystem::remove_all(place);
        const bool told = text.find(library) != std::string::npos &&
                          text.find("it is another build of the library") != std::string::npos;
        if (!told) std::fprintf(stderr, "%s\n", text.c_str());
        _exit(told ? 0 : 3);
    });
    host.join();
    EXPECT_EQ(host.exit_code(), 0);
}

TEST(WorkerFaults, F82WhatAWorkerPrintsDoesNotTouchTheProtocol) {
    mp::process host([] {
        int ends[2];
        if (pipe(ends) != 0 || dup2(ends[1], STDOUT_FILENO) < 0) _exit(1);
        close(ends[1]);
        {
            process_pool pool(1);
            const auto print = [](int n) {
                std::printf("line %d\n", n);
                return n;
            };
            for (int i = 0; i < 3; ++i) {
                if (pool.submit(print, i).result() != i) _exit(2);
            }
        }
        close(STDOUT_FILENO);
        std::string text(100, '\0');
        std::size_t size = 0;
        for (ssize_t got = 1; got > 0; size += static_cast<std::size_t>(got)) {
            got = read(ends[0], text.data() + size, text.size() - size);
        }
        text.resize(size);
        _exit(text == "line 0\nline 1\nline 2\n" ? 0 : 3);
    });
    host.join();
    EXPECT_EQ(host.exit_code(), 0);
}

TEST(WorkerFaults, AStandardInputIsNotTheirs) {
    process_pool pool(1);
    EXPECT_EQ(pool.submit([] { return std::getchar(); }).result(), EOF);
}

} // namespace
