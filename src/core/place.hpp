/// Turns the address of code into words for a person.
#pragma once

#include <string>

namespace heddle::detail {

/// "file.cpp:12 (function)" if debug information and the `addr2line` program are there, else
/// "function+0x1f" or "program+0x4242". `code` is a return address. Slow the first time for each
/// address (a program may be started), cached afterwards.
std::string describe_code(const void* code);

/// "foo::bar(int)" for a mangled name; the name itself if it is not one.
std::string demangle(const char* name);

} // namespace heddle::detail
