/// What is refused before a byte is sent.
#pragma once

#include "url.hpp"

#include <heddle/http/message.hpp>
#include <heddle/http/session.hpp>

namespace heddle::http::detail {

/// Checks all of `what`, and puts its method in upper case. Throws std::invalid_argument.
origin check(request& what);
/// Checks an option each; throws std::invalid_argument naming it, its value and its range.
void check(const session_options& options);

/// True if a request of that method may be carried out twice.
bool may_be_repeated(std::string_view method) noexcept;

} // namespace heddle::http::detail
