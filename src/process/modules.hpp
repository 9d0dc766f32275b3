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

/// What a worker is told before its first call.
struct worker_settings {
    bool is_process = false; ///< runs one call of an mp::process, then ends
    std::uint64_t memory_limit = 0;
    function_ref initializer;
    std::string name; ///< of an mp::process; may be empty
};
/// Adds the frames that a worker begins with: all modules so far, whose number is returned, and
/// its settings.
std::uint32_t introduce(frame_sink& to, const worker_settings& settings);
/// Reads them in the worker. @throws heddle::error  it is another build than its parent.
worker_settings read_settings(reader& from);

} // namespace heddle::detail
