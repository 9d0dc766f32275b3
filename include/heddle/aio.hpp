/// Coroutines: tasks, an event loop, and what asyncio has to combine them.
#pragma once

#include <heddle/aio/as_completed.hpp>
#include <heddle/aio/awaitable.hpp>
#include <heddle/aio/future.hpp>
#include <heddle/aio/gather.hpp>
#include <heddle/aio/mutex.hpp>
#include <heddle/aio/queue.hpp>
#include <heddle/aio/run.hpp>
#include <heddle/aio/sleep.hpp>
#include <heddle/aio/spawn.hpp>
#include <heddle/aio/sync.hpp>
#include <heddle/aio/task.hpp>
#include <heddle/aio/task_group.hpp>
#include <heddle/aio/timeout.hpp>
#include <heddle/aio/to_thread.hpp>
