#include "lessons.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace tour {

namespace {

/// Starts `program` with its standard output in a pipe and what it complains about dropped; puts
/// the pipe's end and its process id in `output` and `pid`. Returns an error number, 0 for none.
int start(const std::string& program, std::vector<char*> arguments, int& output, pid_t& pid) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const int error =
        ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output = ends[0];
    if (error != 0) ::close(output);
    return error;
}

std::string read_all(int fd) {
    std::string text;
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::close(fd);
    return text;
}

std::string last_line(std::string text) {
    while (text.ends_with('\n')) text.pop_back();
    return text.substr(text.rfind('\n') + 1);
}

} // namespace

const std::vector<lesson>& lessons() {
    static const std::vector<lesson> all = {
        {"threads", {}},
        {"pool", {}},
        {"as_completed", {}},
        {"failures", {}},
        {"late_binding", {}},
        {"two_threads", {}},
        {"race", {}},
        {"race", {"--mode", "lock"}},
        {"race", {"--mode", "guarded"}},
        {"race", {"--mode", "atomic"}},
        {"race", {"--mode", "combine"}},
        {"race_threads", {"-n", "3", "-d"}},
        {"counter", {}},
        {"bank", {}},
        {"workers", {}},
        {"producer_consumer", {}},
#ifdef HEDDLE_TOUR_HTTP
        {"downloads", {}},
        {"aio_downloads", {}},
#endif
    };
    return all;
}

lesson_report run(const lesson& l, const std::string& folder) {
    const std::string program = folder + "/" + l.program;
    std::vector<std::string> words = {program};
    words.insert(words.end(), l.arguments.begin(), l.arguments.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);

    const auto begin = std::chrono::steady_clock::now();
    int output = -1;
    pid_t pid = 0;
    if (const int error = start(program, std::move(arguments), output, pid); error != 0) {
        return {.shows = "cannot be started: " + std::generic_category().message(error)};
    }
    const std::string printed = read_all(output);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;

    const bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (good) return {true, last_line(printed), took.count()};
    const std::string how = WIFSIGNALED(status)
                                ? "killed by signal " + std::to_string(WTERMSIG(status))
                                : "ended with " + std::to_string(WEXITSTATUS(status));
    return {false, how, took.count()};
}

} // namespace tour
