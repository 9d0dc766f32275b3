/// Everything public at once. A program that cares for its compile time includes what it uses.
#pragma once

#include <heddle/aio.hpp>
#include <heddle/barrier.hpp>
#include <heddle/error.hpp>
#include <heddle/event.hpp>
#include <heddle/executor.hpp>
#include <heddle/failure.hpp>
#include <heddle/functional.hpp>
#include <heddle/future.hpp>
#include <heddle/guarded.hpp>
#include <heddle/http.hpp>
#include <heddle/join.hpp>
#include <heddle/local.hpp>
#include <heddle/map.hpp>
#include <heddle/outcome.hpp>
#include <heddle/print.hpp>
#if __has_include(<cereal/cereal.hpp>) // what crosses to another process is encoded by cereal
#include <heddle/mp.hpp>
#include <heddle/process_pool.hpp>
#endif
#include <heddle/progress.hpp>
#include <heddle/promise.hpp>
#include <heddle/queue.hpp>
#include <heddle/semaphore.hpp>
#include <heddle/sync.hpp>
#include <heddle/thread.hpp>
#include <heddle/thread_pool.hpp>
#include <heddle/time.hpp>
#include <heddle/version.hpp>
#include <heddle/wait.hpp>
