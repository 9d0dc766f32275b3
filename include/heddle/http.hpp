/// HTTP: a session that threads and coroutines share, with results as futures.
#pragma once

#include <heddle/http/error.hpp>
#include <heddle/http/message.hpp>
#include <heddle/http/session.hpp>
