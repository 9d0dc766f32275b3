/// Ways for threads to wait for each other that std lacks: `event`, `bounded_semaphore`,
/// `barrier`; and `local`, one value a thread.
#pragma once

#include <heddle/barrier.hpp>
#include <heddle/event.hpp>
#include <heddle/local.hpp>
#include <heddle/semaphore.hpp>
