#include "session.hpp"

#include "endless_loop.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace heddle::check {

volatile bool interrupt_requested = false;

namespace {

constexpr const char* time_is_up = "the time was up";
constexpr int poll_ms = 100;
constexpr int eager_poll_ms = 2;     // of a program that is known for its endless loops
constexpr double asleep_limit = 1.0; // seconds in the kernel with the turn
constexpr double start_limit = 20.0;

std::string runtime_folder() {
    const auto own = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    for (const auto& folder : {own, own / "../lib/heddle", own / "../lib"})
        if (std::filesystem::exists(folder / "libtsan.so.2") &&
            std::filesystem::exists(folder / "libclang_rt.tsan-x86_64.so"))
            return std::filesystem::canonical(folder).string();
    throw std::runtime_error("the runtime libtsan.so.2 of heddle is not beside the program heddle; "
                             "install both together");
}

const char* call_name(long number) {
    switch (number) {
    case 0: return "read";
    case 1: return "write";
    case 7: return "poll";
    case 23: return "select";
    case 34: return "pause";
    case 35: return "nanosleep";
    case 42: return "connect";
    case 43:
    case 288: return "accept";
    case 45: return "recvfrom";
    case 47: return "recvmsg";
    case 61: return "wait4";
    case 73: return "flock";
    case 128: return "rt_sigtimedwait";
    case 130: return "rt_sigsuspend";
    case 202: return "futex";
    case 230: return "clock_nanosleep";
    case 232:
    case 281: return "epoll_wait";
    case 247: return "waitid";
    case 270: return "pselect6";
    case 271: return "ppoll";
    default: return "a system call";
    }
}

/// Of a thread of the kernel: its state letter, and the call that it sleeps in.
struct kernel_sleep {
    char state;
    long number;
    u64 pc; // where it was called
};

kernel_sleep kernel_state(pid_t process, u32 thread) {
    const auto folder = fmt::format("/proc/{}/task/{}/", process, thread);
    std::string line;
    std::getline(std::ifstream(folder + "stat"), line);
    const auto close = line.rfind(')');
    const char state =
        close == std::string::npos || close + 2 >= line.size() ? '?' : line[close + 2];
    long number = -1;
    u64 words[8] = {}; // its arguments, the stack pointer, and where it was called
    std::ifstream call(folder + "syscall");
    call >> number >> std::hex;
    for (u64& word : words) {
        std::string text;
        call >> text;
        word = std::strtoull(text.c_str(), nullptr, 16);
    }
    return {state, number, words[7]};
}

/// For a call that does not come from the C library, of which we would know: whose it is.
std::string called_in(const channel& c, u64 pc) {
    for (u32 i = 0; i < c.modules && i < max_modules; ++i) {
        const module_info& m = c.module[i];
        if (pc < m.begin || pc >= m.end || m.instrumented != 0) continue;
        return fmt::format(": {} calls it, which is not instrumented",
                           std::filesystem::path(m.path).filename().string());
    }
    return "";
}

channel* make_channel(int& memory) {
    memory = memfd_create("heddle-channel", 0);
    if (memory < 0 || ftruncate(memory, sizeof(channel)) != 0)
        throw std::runtime_error("cannot make shared memory for the program under check");
    void* p = mmap(nullptr, sizeof(channel), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (p == MAP_FAILED) throw std::runtime_error("cannot map shared memory");
    auto* c = static_cast<channel*>(p);
    c->magic = channel_magic;
    c->version = protocol_version;
    c->size_check = static_cast<u32>(sizeof(channel) % 0xffffffff);
    std::strncpy(c->tool, HEDDLE_CHECK_VERSION, sizeof c->tool - 1);
    c->config.expected_exit = -1;
    return c;
}

void redirect(int fd, const char* path, int flags) {
    const int file = open(path, flags);
    if (file < 0) _exit(127);
    dup2(file, fd);
    close(file);
}

} // namespace

session::session(const program_file& program,
                 const std::vector<std::string>& arguments,
                 output to) {
    start(program, arguments, to);
    try {
        wait_ready();
    } catch (...) {
        kill(server_, SIGKILL);
        waitpid(server_, nullptr, 0);
        munmap(shared_, sizeof(channel));
        throw;
    }
}

session::~session() {
    close(commands_);
    close(replies_);
    if (shared_->child != 0) kill(static_cast<pid_t>(shared_->child), SIGKILL);
    kill(server_, SIGKILL);
    waitpid(server_, nullptr, 0);
    munmap(shared_, sizeof(channel));
    if (output_ >= 0) close(output_);
}

std::string session::last_output() {
    std::string text(1 << 16, '\0'); // more is not compared
    const auto n = output_ < 0 ? 0 : pread(output_, text.data(), text.size(), 0);
    text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    if (output_ >= 0 && ftruncate(output_, 0) != 0) throw std::runtime_error("cannot empty a file");
    return text;
}

void session::start(const program_file& program,
                    const std::vector<std::string>& arguments,
                    output to) {
    int memory = -1, to_child[2], from_child[2];
    const std::string folder = runtime_folder();
    if (to == output::kept) {
        output_ = memfd_create("heddle-output", MFD_CLOEXEC);
        fcntl(output_, F_SETFL, O_APPEND); // after a truncation the next run begins at the start
    }
    shared_ = make_channel(memory);
    if (pipe(to_child) != 0 || pipe(from_child) != 0)
        throw std::runtime_error("cannot make a pipe");
    fcntl(to_child[1], F_SETFD, FD_CLOEXEC);
    fcntl(from_child[0], F_SETFD, FD_CLOEXEC);
    std::vector<char*> argv{const_cast<char*>(program.path.c_str())};
    for (const auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    const char* old_path = std::getenv("LD_LIBRARY_PATH");
    const std::string path = old_path == nullptr ? folder : folder + ":" + old_path;
    const std::string variable = fmt::format("{},{},{}", memory, to_child[0], from_child[1]);
    server_ = fork();
    if (server_ < 0) throw std::runtime_error("cannot start a process");
    if (server_ == 0) {
        setpgid(0, 0);
        redirect(0, program.input.empty() ? "/dev/null" : program.input.c_str(), O_RDONLY);
        if (to != output::shown) redirect(1, "/dev/null", O_WRONLY);
        if (to != output::shown) redirect(2, "/dev/null", O_WRONLY);
        if (to == output::kept) dup2(output_, 1);
        setenv("LD_LIBRARY_PATH", path.c_str(), 1);
        setenv(channel_variable, variable.c_str(), 1);
        setenv("LD_BIND_NOW", "1", 1);  // once in the server instead of once in every copy
        personality(ADDR_NO_RANDOMIZE); // refused in some containers: addresses decide nothing
        execv(argv[0], argv.data());
        _exit(127);
    }
    close(memory);
    close(to_child[0]);
    close(from_child[1]);
    commands_ = to_child[1];
    replies_ = from_child[0];
}

void session::wait_ready() {
    pollfd p{replies_, POLLIN, 0};
    for (double waited = 0; waited < start_limit; waited += poll_ms / 1000.0) {
        if (interrupt_requested) throw interrupted();
        if (poll(&p, 1, poll_ms) <= 0) continue;
        char byte = 0;
        if (read(replies_, &byte, 1) == 1) return;
        break;
    }
    server_gone();
}

void session::server_gone() {
    int status = 0;
    const bool ended = waitpid(server_, &status, WNOHANG) == server_;
    const std::string runtime(shared_->runtime, strnlen(shared_->runtime, sizeof shared_->runtime));
    if (!shared_->server_ready && !runtime.empty())
        throw not_checkable(fmt::format(
            "heddle is of version {} and the runtime library that the program loaded of version "
            "{}; install both from one release, and let LD_LIBRARY_PATH and the program's RPATH "
            "name no other libtsan.so.2 than that in {}",
            HEDDLE_CHECK_VERSION,
            runtime,
            runtime_folder()));
    if (!shared_->server_ready)
        throw not_checkable(
            ended && WIFEXITED(status) && WEXITSTATUS(status) == 127
                ? "the program could not be started (a shared library may be missing: try ldd)"
                : "the program did not load heddle's runtime in place of libtsan; link it "
                  "dynamically with g++ -fsanitize=thread (clang: also -shared-libsan)");
    throw std::runtime_error("the fork server ended unexpectedly");
}

void session::run(u64 first, u64 count) {
    shared_->config.replay = replaying::nothing;
    const command order{first, count};
    if (write(commands_, &order, sizeof order) != sizeof order) server_gone();
    wait_reply();
    const run_result& r = shared_->result;
    if (r.kind != failure::hung || std::strcmp(r.text, time_is_up) == 0) return;
    ++given_up_;
    why_given_up_ = r.text;
}

void session::replay(const std::vector<choice>& choices,
                     replaying how,
                     bool record,
                     const std::vector<u32>& checkpoints) {
    const run_config before = shared_->config;
    shared_->config.record = record;
    order_replay(choices, checkpoints, how);
    wait_reply();
    shared_->config = before;
}

void session::debug(const std::vector<choice>& choices,
                    const std::vector<u32>& checkpoints,
                    u64 first_step) {
    shared_->config.debug_step = std::max<u64>(first_step, 1);
    order_replay(choices, checkpoints, replaying::exactly);
    pid_t child = 0;
    for (int waited = 0; waited < 200; ++waited) { // until the child has stopped itself
        child = static_cast<pid_t>(shared_->child);
        if (child != 0 && kernel_state(child, static_cast<u32>(child)).state == 'T') break;
        usleep(10'000);
    }
    const std::string pid = std::to_string(child);
    const pid_t debugger = fork();
    if (debugger == 0) {
        signal(SIGINT, SIG_DFL);
        execlp("gdb",
               "gdb",
               "-q",
               "-p",
               pid.c_str(),
               "-ex",
               "handle SIGSTOP nostop noprint nopass",
               "-ex",
               "break heddle_story_begins",
               "-ex",
               "continue",
               "-ex",
               "backtrace 8",
               static_cast<char*>(nullptr));
        _exit(127);
    }
    int status = 0;
    while (waitpid(debugger, &status, 0) < 0 && errno == EINTR) {
    }
    kill(child, SIGKILL);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        throw std::runtime_error("gdb could not be started; is it installed?");
}

void session::order_replay(const std::vector<choice>& choices,
                           const std::vector<u32>& checkpoints,
                           replaying how) {
    run_config& c = shared_->config;
    c.replay = how;
    c.choices = static_cast<u32>(std::min<std::size_t>(choices.size(), max_choices));
    c.checkpoints = static_cast<u32>(std::min<std::size_t>(checkpoints.size(), max_checkpoints));
    std::memcpy(shared_->choices_in, choices.data(), c.choices * sizeof(choice));
    std::memcpy(shared_->checkpoints_in, checkpoints.data(), c.checkpoints * sizeof(u32));
    const command order{c.schedule, 1};
    if (write(commands_, &order, sizeof order) != sizeof order) server_gone();
}

void session::wait_reply() {
    pollfd p{replies_, POLLIN, 0};
    for (;;) {
        if (interrupt_requested) throw interrupted();
        const int n = poll(&p, 1, poll_ms_);
        if (n > 0) {
            char byte = 0;
            if (read(replies_, &byte, 1) != 1) server_gone();
            return;
        }
        if (const u32 child = shared_->child) watch(static_cast<pid_t>(child));
    }
}

/// Called ten times a second or more. A run that makes no step is asked for the reason, and ended
/// if it goes on like that.
void session::watch(pid_t child) {
    if (std::chrono::steady_clock::now() > deadline_) {
        end_run(child, time_is_up);
        return;
    }
    const u64 beat = shared_->heartbeat;
    if (child != last_child_ || beat != last_heartbeat_) {
        last_child_ = child;
        last_heartbeat_ = beat;
        still_seconds_ = 0;
        return;
    }
    still_seconds_ += poll_ms_ / 1000.0;
    const auto thread = static_cast<pid_t>(shared_->child_thread);
    const auto [state, number, pc] = kernel_state(child, shared_->child_thread);
    const bool asleep = state == 'S' || state == 'D';
    if (!asleep && leave_endless_loop(thread, shared_->refuge)) {
        poll_ms_ = eager_poll_ms;
        still_seconds_ = 0;
        return;
    }
    if (still_seconds_ < asleep_limit) return;
    if (!asleep && still_seconds_ < compute_limit_) return;
    const std::string text =
        asleep
            ? fmt::format("thread {} slept for more than a second in {}() (system call {}), which "
                          "heddle does not control{}",
                          shared_->child_thread,
                          call_name(number),
                          number,
                          called_in(*shared_, pc))
            : fmt::format("the program worked for {} s without one access that heddle sees",
                          static_cast<int>(compute_limit_));
    end_run(child, text);
}

void session::end_run(pid_t child, const std::string& why) {
    run_result& r = shared_->result;
    r.kind = failure::hung;
    std::strncpy(r.text, why.c_str(), sizeof r.text - 1);
    kill(child, SIGKILL);
    still_seconds_ = 0;
}

} // namespace heddle::check
