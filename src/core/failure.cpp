#include "context.hpp"
#include "place.hpp"

#include <heddle/detail/task.hpp>
#include <heddle/failure.hpp>

#include <cxxabi.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <typeinfo>

namespace heddle {

namespace detail {
namespace {

struct handler_slot {
    std::mutex mutex;
    std::shared_ptr<const failure_handler> handler; ///< null: the default
};

handler_slot& slot() {
    static handler_slot* one = new handler_slot; // never destroyed: tasks may outlive main
    return *one;
}

void print_failure(const failure_info& failure) {
    std::string line = "heddle: nobody looked at the failure of ";
    line += failure.task_name.empty() ? "a task" : "task \"" + failure.task_name + '"';
    if (failure.where.line() != 0) {
        line += " submitted at " + std::string(failure.where.file_name()) + ':' +
                std::to_string(failure.where.line());
    } else if (failure.address) {
        line += " submitted at " + describe_code(failure.address);
    }
    line += ": " + describe(failure.exception) + '\n';
    // One write, so that lines of several threads do not mix.
    [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
}

} // namespace

void hold_failure_handler(bool hold) noexcept {
    std::mutex& mutex = slot().mutex;
    hold ? mutex.lock() : mutex.unlock();
}

std::string demangle(const char* name) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(
        abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
    return status == 0 ? text.get() : name;
}

std::string describe(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        return demangle(typeid(e).name()) + ": " + e.what();
    } catch (...) {
        const std::type_info* type = abi::__cxa_current_exception_type();
        return "an exception of type " + (type ? demangle(type->name()) : std::string("unknown"));
    }
}

void report_failure(const failure_info& failure) noexcept {
    try {
        std::shared_ptr<const failure_handler> handler;
        {
            std::lock_guard lock(slot().mutex);
            handler = slot().handler;
        }
        if (handler) (*handler)(failure);
        else print_failure(failure);
    } catch (...) {
        // A handler that fails has nobody left to tell.
    }
}

std::string task::describe() const {
    if (const task_info* i = info()) {
        if (!i->name.empty()) return '"' + i->name + '"';
        if (i->where.line() != 0) {
            return "(submitted at " + std::string(i->where.file_name()) + ':' +
                   std::to_string(i->where.line()) + ')';
        }
    }
    if (address()) return "(submitted at " + describe_code(address()) + ')';
    return "(unnamed)";
}

} // namespace detail

failure_handler set_failure_handler(failure_handler handler) {
    auto next = handler ? std::make_shared<const failure_handler>(std::move(handler)) : nullptr;
    std::lock_guard lock(detail::slot().mutex);
    std::swap(detail::slot().handler, next);
    return next ? *next : failure_handler();
}

} // namespace heddle
