/// The program and its shared libraries: what is loaded where, and by which build.
#pragma once

#include "frame.hpp"

#include <cstdint>
#include <string>

namespace heddle::detail {

/// The build of this program's main module, as text: its build-id, or a hash of its code.
std::string main_build();
/// How many modules this process has numbered so far.
std::uint32_t modules_named();
/// A frame that tells another process what the module `number` is.
shared_message describe_module(std::uint32_t number);
/// Notes what another process calls `number`. If it is not loaded here, tries to load it.
void learn_module(reader& from);

} // namespace heddle::detail
