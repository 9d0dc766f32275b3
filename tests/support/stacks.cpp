#include "support/stacks.hpp"

#include <dirent.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace heddle::test {

namespace {

std::vector<pid_t> threads_of_this_process() {
    std::vector<pid_t> ids;
    if (DIR* tasks = opendir("/proc/self/task")) {
        while (const dirent* entry = readdir(tasks)) {
            const int id = std::atoi(entry->d_name);
            if (id > 0) ids.push_back(id);
        }
        closedir(tasks);
    }
    return ids;
}

std::string first_line(const std::string& path) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    return line.empty() ? "?" : line;
}

bool dump_with_gdb() {
    const std::string process = std::to_string(getpid());
    const pid_t child = fork();
    if (child < 0) return false;
    if (child == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        // gdb's own complaints (no auto-load, no debug info) would only hide the stacks.
        const int silent = open("/dev/null", O_WRONLY);
        dup2(silent, STDERR_FILENO);
        execlp("gdb",
               "gdb",
               "-p",
               process.c_str(),
               "-batch",
               "-nx",
               "-ex",
               "thread apply all backtrace",
               static_cast<char*>(nullptr));
        _exit(127);
    }
    int status = 0;
    for (int tenths = 0; tenths < 600; ++tenths) {
        if (waitpid(child, &status, WNOHANG) == child) {
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        const timespec tenth{0, 100'000'000};
        nanosleep(&tenth, nullptr);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return false;
}

void print_own_stack(int) {
    void* frames[64];
    backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
}

} // namespace

void install_stack_signal() {
    void* frame = nullptr;
    backtrace(&frame, 1); // the first call loads libgcc, which a signal handler must not
    struct sigaction action{};
    action.sa_handler = print_own_stack;
    action.sa_flags = SA_RESTART;
    sigaction(SIGURG, &action, nullptr);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); // so that gdb may attach to its own parent
}

void dump_all_stacks() {
    if (dump_with_gdb()) return;
    for (const pid_t id : threads_of_this_process()) {
        const std::string task = "/proc/self/task/" + std::to_string(id) + "/";
        std::fprintf(stderr,
                     "thread %d (%s), in the kernel: %s, system call: %s\n",
                     id,
                     first_line(task + "comm").c_str(),
                     first_line(task + "wchan").c_str(),
                     first_line(task + "syscall").c_str());
        syscall(SYS_tgkill, getpid(), id, SIGURG);
        const timespec moment{0, 200'000'000}; // for the thread to print its stack under its name
        nanosleep(&moment, nullptr);
    }
}

void kill_children() {
    for (const pid_t id : threads_of_this_process()) {
        std::ifstream in("/proc/self/task/" + std::to_string(id) + "/children");
        for (pid_t child = 0; in >> child;) kill(child, SIGKILL);
    }
}

} // namespace heddle::test
