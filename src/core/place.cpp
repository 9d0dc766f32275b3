#include "place.hpp"

#include "context.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <unordered_map>

extern char** environ;

namespace heddle::detail {

namespace {

std::string hex(std::uintptr_t value) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
    return text.data();
}

/// Runs `addr2line` and returns its output, or nothing: this is a courtesy, never a failure.
std::string ask_addr2line(const std::string& module, std::uintptr_t offset) {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) return {};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const std::string where = hex(offset);
    std::array<const char*, 6> arguments{
        "addr2line", "-Cfie", module.c_str(), where.c_str(), nullptr, nullptr};
    pid_t child = 0;
    const int failed = posix_spawnp(&child,
                                    "addr2line",
                                    &actions,
                                    nullptr,
                                    const_cast<char* const*>(arguments.data()),
                                    environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_ends[1]);
    std::string output;
    if (!failed) {
        std::array<char, 512> part{};
        for (ssize_t n = 0; (n = read(pipe_ends[0], part.data(), part.size())) > 0;) {
            output.append(part.data(), static_cast<std::size_t>(n));
        }
        int status = 0;
        waitpid(child, &status, 0);
    }
    close(pipe_ends[0]);
    return output;
}

/// Strips what the compilers add to a coroutine's name for the code behind it: clang
/// "fetch(int) [clone .resume]", g++ "fetch(fetch(int)::_Z5fetchi.Frame*) [clone .actor]".
std::string without_additions(std::string function) {
    if (const auto clone = function.find(" [clone"); clone != std::string::npos) {
        function.resize(clone);
    }
    if (function.ends_with(".cold")) function.resize(function.size() - 5);
    const auto mark = function.find("::_Z");
    if (mark == std::string::npos) return function;
    for (auto at = function.find('('); at < mark; at = function.find('(', at + 1)) {
        if (at != 0 && function.compare(at + 1, at, function, 0, at) == 0) {
            return function.substr(at + 1, mark - at - 1);
        }
    }
    return function;
}

/// Picks the first frame outside Heddle's own headers from "function\nfile:line\n" pairs.
std::string first_user_frame(const std::string& lines) {
    for (std::size_t at = 0; at < lines.size();) {
        const std::size_t end_of_function = lines.find('\n', at);
        if (end_of_function == std::string::npos) break;
        std::size_t end_of_place = lines.find('\n', end_of_function + 1);
        if (end_of_place == std::string::npos) end_of_place = lines.size();
        const std::string function = without_additions(lines.substr(at, end_of_function - at));
        std::string place = lines.substr(end_of_function + 1, end_of_place - end_of_function - 1);
        place = place.substr(0, place.find(" (")); // drops "(discriminator 2)"
        at = end_of_place + 1;
        if (place.find("??") != std::string::npos || place.ends_with(":0")) continue;
        if (place.find("/heddle/") != std::string::npos &&
            place.find(".hpp:") != std::string::npos) {
            continue;
        }
        return place + " (" + function + ')';
    }
    return {};
}

std::string look_up(const void* code) {
    Dl_info found{};
    link_map* map = nullptr;
    if (!dladdr1(code, &found, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) ||
        !found.dli_fname) {
        return hex(reinterpret_cast<std::uintptr_t>(code));
    }
    const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(code);
    const std::uintptr_t offset = address - map->l_addr;
    const bool is_program = !map->l_name || !*map->l_name;
    // The byte before a return address belongs to the call.
    const std::string file =
        is_program ? "/proc/" + std::to_string(getpid()) + "/exe" : std::string(found.dli_fname);
    if (std::string frame = first_user_frame(ask_addr2line(file, offset - 1)); !frame.empty()) {
        return frame;
    }
    if (found.dli_sname) {
        return without_additions(demangle(found.dli_sname)) + '+' +
               hex(address - reinterpret_cast<std::uintptr_t>(found.dli_saddr));
    }
    return std::string(found.dli_fname) + '+' + hex(offset);
}

struct known_places {
    std::mutex mutex;
    std::unordered_map<const void*, std::string> known;
};

known_places& places() {
    static known_places* one = new known_places; // never destroyed: tasks may outlive main
    return *one;
}

} // namespace

void hold_known_places(bool hold) noexcept {
    std::mutex& mutex = places().mutex;
    hold ? mutex.lock() : mutex.unlock();
}

std::string describe_code(const void* code) {
    std::lock_guard lock(places().mutex);
    const auto [at, is_new] = places().known.try_emplace(code);
    if (is_new) at->second = look_up(code);
    return at->second;
}

} // namespace heddle::detail
