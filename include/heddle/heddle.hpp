/// Everything public at once. A program that cares for its compile time includes what it uses.
#pragma once

#include <heddle/error.hpp>
#include <heddle/outcome.hpp>
#include <heddle/time.hpp>
#include <heddle/version.hpp>
