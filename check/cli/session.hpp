#pragma once
// The program under check as a running fork server, and the watchdog over its runs.

#include "../runtime/protocol.hpp"

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace heddle::check {

/// The program cannot be checked; what() says why and what to do.
struct not_checkable : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The user pressed Ctrl-C.
struct interrupted : std::exception {};

/// What can be said of a program file without running it.
struct program_file {
    std::string path;     // absolute
    std::string build_id; // hexadecimal; empty when the linker left none
    std::string digest;   // of the contents
    std::string input;    // a file to be its standard input; empty: there is nothing to read
};

/// Looks the file over; throws not_checkable.
program_file examine(const std::string& path);

/// Thread safety: for one thread. Lifetime: ends the program with it.
class session {
public:
    /// Where the program's output goes: nowhere, to ours, or kept for last_output().
    enum class output { discarded, shown, kept };

    /// Starts the program up to its first line.
    session(const program_file& program, const std::vector<std::string>& arguments, output to);
    ~session();
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    channel& shared() { return *shared_; }

    /// Runs schedules from `first` until one has something to tell or `count` are done; blocks.
    /// The last run's outcome is in shared().result, its number in shared().config.schedule.
    void run(u64 first, u64 count);

    /// Repeats one run by its choices, or by what is left of them, and compares its hashes with
    /// the checkpoints, if there are any.
    void replay(const std::vector<choice>& choices,
                replaying how,
                bool record,
                const std::vector<u32>& checkpoints = {});

    /// Repeats the run under gdb, which takes the terminal and stops at `first_step`; blocks.
    void
    debug(const std::vector<choice>& choices, const std::vector<u32>& checkpoints, u64 first_step);

    /// How many runs waited for something that is not controlled, and were ended.
    u64 given_up() const { return given_up_; }

    /// Why the last of them was.
    const std::string& why_given_up() const { return why_given_up_; }

    /// What the program has written to its standard output since the last call, if that is kept.
    std::string last_output();

    /// Runs that still go on at this moment are ended.
    void end_runs_at(std::chrono::steady_clock::time_point when) { deadline_ = when; }

    /// A run that works this long without a step that heddle sees is ended.
    void let_compute(double seconds) { compute_limit_ = seconds; }

private:
    void start(const program_file& program, const std::vector<std::string>& arguments, output to);
    void order_replay(const std::vector<choice>& choices,
                      const std::vector<u32>& checkpoints,
                      replaying how);
    void wait_ready();
    void wait_reply();
    void watch(pid_t child);
    void end_run(pid_t child, const std::string& why);
    [[noreturn]] void server_gone();

    channel* shared_ = nullptr;
    int commands_ = -1, replies_ = -1;
    pid_t server_ = -1;
    u64 given_up_ = 0;
    std::string why_given_up_;
    u64 last_heartbeat_ = 0;
    pid_t last_child_ = 0;
    double still_seconds_ = 0, compute_limit_ = 60;
    int poll_ms_ = 100; // how often a run is looked at
    int output_ = -1;   // memory file, when output is kept
    std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
};

/// Set by the signal handler of main().
extern volatile bool interrupt_requested;

} // namespace heddle::check
