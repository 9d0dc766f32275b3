/// The one line that a program with processes begins with.
#pragma once

namespace heddle::mp {

/// Makes this program able to be its own worker: the first line of `main`.
///
/// Worker processes are started by executing the same program again; in a worker this call does
/// the worker's work and never returns. In the program itself it returns at once. Without it a
/// `process_pool` or an `mp::process` cannot be built, and says so.
///
/// Example:
///     int main(int argc, char** argv) {
///         heddle::mp::init(argc, argv);
///         heddle::process_pool pool;
///         …
///     }
///
/// Thread safety: call it once, before there are threads.
void init(int argc, char** argv);

} // namespace heddle::mp
