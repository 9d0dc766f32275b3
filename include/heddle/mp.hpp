/// `heddle::mp`: processes by hand, and what they share: what Python's `multiprocessing` has.
///
/// A program with processes begins its `main` with `heddle::mp::init(argc, argv);`.
#pragma once

#include <heddle/detail/mp_init.hpp>
#include <heddle/mp/process.hpp>
#include <heddle/mp/queue.hpp>
#include <heddle/mp/shared.hpp>
