// The ways in which a program ends, and fork.
#include "failure.hpp"
#include "real.hpp"
#include "record.hpp"
#include "threads.hpp"

#include <cxxabi.h>
#include <spawn.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <typeinfo>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

/// What the runtime says on the program's standard error, without the C library's streams.
void say(const char* text) {
    kernel(SYS_write, 2, as_long(text), static_cast<long>(std::strlen(text)));
}

u64 text_signature(failure kind, const char* text) {
    u64 s = static_cast<u64>(kind);
    for (; *text != 0; ++text) s = combine(s, static_cast<u8>(*text));
    return s;
}

void on_terminate() {
    if (!has_turn()) kernel(SYS_exit_group, 134);
    const std::type_info* type = abi::__cxa_current_exception_type();
    if (type == nullptr)
        fail_text(failure::crash,
                  "std::terminate() was called without an exception; is a joinable "
                  "std::thread destroyed?",
                  0,
                  PC);
    int status = 0;
    char name[128] = {};
    char* readable = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
    std::strncpy(name, readable == nullptr ? type->name() : readable, sizeof name - 1);
    char text[400];
    try {
        throw;
    } catch (const std::exception& e) {
        std::snprintf(text, sizeof text, "%s: %s", name, e.what());
    } catch (...) {
        std::snprintf(text, sizeof text, "%s", name);
    }
    say("uncaught exception: ");
    say(text);
    say("\n");
    fail_text(
        failure::uncaught_exception, text, text_signature(failure::uncaught_exception, name), PC);
}

void end_of_main(op kind, u64 pc) {
    self->at_main_end = true;
    point(kind, 0, pc, true);
    self->at_main_end = false;
    record(kind, 0, pc);
    g.shared->result.steps = g.step;
    g.shared->result.threads = g.count;
    // Read by the C library, or by std::cin through it, whose system calls are not ours.
    if (stdin != nullptr && feof_unlocked(stdin) != 0) note_limit(limit_input);
}

int (*program_main)(int, char**, char**);

int controlled_main(int argc, char** argv, char** environment) {
    const int result = program_main(argc, argv, environment);
    if (has_turn()) end_of_main(op::main_end, PC);
    return result;
}

} // namespace

namespace heddle::check::rt {

void serve(); // server.cpp

} // namespace heddle::check::rt

HEDDLE_HOOK int __libc_start_main(int (*main)(int, char**, char**),
                                  int argc,
                                  char** argv,
                                  void (*init)(),
                                  void (*fini)(),
                                  void (*loader_fini)(),
                                  void* stack_end) {
    using start_t = int (*)(
        int (*)(int, char**, char**), int, char**, void (*)(), void (*)(), void (*)(), void*);
    const auto start = real_function<start_t>("__libc_start_main");
    ensure_started();
    real();
    program_main = main;
    std::set_terminate(on_terminate);
    serve(); // returns once in every run, in a process of its own
    // Unloading costs page faults in every library, and most runs have nothing to do there.
    if (!has_unload_functions()) loader_fini = nullptr;
    return start(controlled_main, argc, argv, init, fini, loader_fini, stack_end);
}

HEDDLE_HOOK void exit(int status) {
    if (has_turn()) end_of_main(op::exit, PC);
    real().exit(status);
    __builtin_unreachable();
}

namespace {

[[noreturn]] void exit_at_once(int status, u64 pc) {
    if (has_turn()) end_of_main(op::exit, pc);
    for (;;) kernel(SYS_exit_group, status);
}

} // namespace

HEDDLE_HOOK void _exit(int status) {
    exit_at_once(status, PC);
}
HEDDLE_HOOK void _Exit(int status) {
    exit_at_once(status, PC);
}
HEDDLE_HOOK void quick_exit(int status) {
    static const auto real_exit = real_function<void (*)(int)>("quick_exit");
    if (has_turn()) end_of_main(op::exit, PC);
    real_exit(status);
    __builtin_unreachable();
}

HEDDLE_HOOK void __assert_fail(const char* claim, const char* file, unsigned line, const char* in) {
    char text[500];
    std::snprintf(text, sizeof text, "%s:%u: %s: assertion `%s' failed", file, line, in, claim);
    say(text);
    say("\n");
    if (has_turn())
        fail_text(failure::assertion, text, text_signature(failure::assertion, text), PC);
    kernel(SYS_exit_group, 134);
    __builtin_unreachable();
}

// The child goes its own way, without control: it shares nothing with the run any more.
HEDDLE_HOOK int fork() {
    if (!has_turn()) return real().fork();
    note_limit(limit_fork);
    const int pid = real().fork();
    if (pid == 0) {
        g.current = nullptr;
        g.controlled = false;
    }
    return pid;
}
// Children that are started as other programs: they may hold the other end of a descriptor.
HEDDLE_HOOK int posix_spawn(pid_t* child,
                            const char* path,
                            const posix_spawn_file_actions_t* actions,
                            const posix_spawnattr_t* attributes,
                            char* const* arguments,
                            char* const* environment) {
    static const auto real_spawn = real_function<decltype(&posix_spawn)>("posix_spawn");
    if (has_turn()) note_limit(limit_fork);
    return real_spawn(child, path, actions, attributes, arguments, environment);
}
HEDDLE_HOOK int posix_spawnp(pid_t* child,
                             const char* file,
                             const posix_spawn_file_actions_t* actions,
                             const posix_spawnattr_t* attributes,
                             char* const* arguments,
                             char* const* environment) {
    static const auto real_spawn = real_function<decltype(&posix_spawn)>("posix_spawnp");
    if (has_turn()) note_limit(limit_fork);
    return real_spawn(child, file, actions, attributes, arguments, environment);
}
HEDDLE_HOOK FILE* popen(const char* command, const char* mode) {
    static const auto real_open = real_function<FILE* (*)(const char*, const char*)>("popen");
    if (has_turn()) note_limit(limit_fork);
    return real_open(command, mode);
}
