/// What every thread of this process is doing, for a test that is stuck.
#pragma once

namespace heddle::test {

/// Makes ready for `dump_all_stacks`; call it once, early in main.
void install_stack_signal();

/// Writes the stacks of all threads to stderr: by gdb where it is installed and may attach, else
/// each thread prints its own when a signal reaches it, beside what the kernel says it waits for.
void dump_all_stacks();

/// Kills the child processes, so that no stuck child outlives the test and holds its output open.
void kill_children();

} // namespace heddle::test
