/// Exceptions that cross processes: standard types as themselves, others by name and text.
#include "frame.hpp"

#include <heddle/error.hpp>

#include <cxxabi.h>

#include <algorithm>
#include <any>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <variant>

namespace heddle::detail {

namespace {

/// One standard type: how it is recognised, and how it is made again.
struct known_type {
    const std::type_info* type;
    std::exception_ptr (*make)(const std::string& text);
};

template <class E>
constexpr known_type known() {
    return {&typeid(E), [](const std::string& text) {
                if constexpr (std::is_constructible_v<E, const std::string&>) {
                    return std::make_exception_ptr(E(text));
                } else {
                    return std::make_exception_ptr(E());
                }
            }};
}

// Both ends are the same program, so the place in this table is what travels.
const known_type known_types[] = {
    known<std::runtime_error>(),        known<std::logic_error>(),
    known<std::invalid_argument>(),     known<std::domain_error>(),
    known<std::length_error>(),         known<std::out_of_range>(),
    known<std::range_error>(),          known<std::overflow_error>(),
    known<std::underflow_error>(),      known<std::bad_alloc>(),
    known<std::bad_array_new_length>(), known<std::bad_cast>(),
    known<std::bad_typeid>(),           known<std::bad_any_cast>(),
    known<std::bad_function_call>(),    known<std::bad_optional_access>(),
    known<std::bad_variant_access>(),   known<std::bad_weak_ptr>(),
    known<std::bad_exception>(),        known<std::exception>(),
};
// Those with an error code, whose categories travel by their place, too.
constexpr std::uint32_t system_failure = 1000, stream_failure = 1001, file_failure = 1002,
                        future_failure = 1003, unknown = 1004;
const std::error_category* const categories[] = {&std::generic_category(),
                                                 &std::system_category(),
                                                 &std::iostream_category(),
                                                 &std::future_category()};

std::string demangled(const std::type_info* type) {
    if (!type) return "unknown";
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> text(
        abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), &std::free);
    return text ? text.get() : type->name();
}

std::string without(const std::string& text, const std::string& end) {
    if (!text.ends_with(end)) return text;
    std::string front = text.substr(0, text.size() - end.size());
    if (front.ends_with(": ")) front.resize(front.size() - 2);
    return front;
}

void append(message& to, std::uint32_t kind, const std::string& type, const std::string& text) {
    to.append_value(kind);
    append_text(to, type);
    append_text(to, text);
}

/// Which of the standard types with a code it is exactly; `unknown` if none.
std::uint32_t coded_type(const std::type_info& type) {
    if (type == typeid(std::system_error)) return system_failure;
    if (type == typeid(std::filesystem::filesystem_error)) return file_failure;
    if (type == typeid(std::future_error)) return future_failure;
    // What streams of libstdc++ throw is a type of its own, derived from the standard one.
    const bool is_stream = type == typeid(std::ios_base::failure) ||
                           std::string_view(type.name()) == "St13__ios_failure";
    return is_stream ? stream_failure : unknown;
}

/// Adds an exception with a code, as itself if its type and its category are known.
void append_coded(message& to,
                  const std::type_info& type,
                  const std::error_code& code,
                  const std::string& text,
                  const std::string& whole) {
    const auto* const at =
        std::find(std::begin(categories), std::end(categories), &code.category());
    const std::uint32_t kind = coded_type(type);
    if (kind == unknown || at == std::end(categories)) {
        return append(to, unknown, demangled(&type), whole);
    }
    append(to, kind, "", without(text, code.message()));
    to.append_value(static_cast<std::uint32_t>(at - std::begin(categories)));
    to.append_value(code.value());
}

std::exception_ptr make_coded(std::uint32_t kind, const std::string& text, reader& from) {
    const auto place = from.take_value<std::uint32_t>();
    const std::error_category& category = *categories[place < std::size(categories) ? place : 0];
    const std::error_code code(from.take_value<int>(), category);
    if (kind == future_failure) {
        return std::make_exception_ptr(
            std::future_error(static_cast<std::future_errc>(code.value())));
    }
    if (kind == stream_failure) return std::make_exception_ptr(std::ios_base::failure(text, code));
    if (kind == file_failure) {
        const std::string one = take_text(from), two = take_text(from);
        return std::make_exception_ptr(std::filesystem::filesystem_error(text, one, two, code));
    }
    return std::make_exception_ptr(text.empty() ? std::system_error(code)
                                                : std::system_error(code, text));
}

} // namespace

void encode_failure(message& to) {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    try {
        throw;
    } catch (const std::filesystem::filesystem_error& e) {
        append_coded(to, *type, e.code(), e.std::system_error::what(), e.what());
        append_text(to, e.path1());
        append_text(to, e.path2());
    } catch (const std::system_error& e) {
        append_coded(to, *type, e.code(), e.what(), e.what());
    } catch (const std::future_error& e) {
        append_coded(to, *type, e.code(), "", e.what());
    } catch (const remote_error& e) {
        append(to, unknown, e.type_name(), e.what());
    } catch (const std::exception& e) {
        std::uint32_t place = 0;
        for (const known_type& each : known_types) {
            if (*each.type == *type) return append(to, place, "", e.what());
            ++place;
        }
        append(to, unknown, demangled(type), e.what());
    } catch (const std::string& text) {
        append(to, unknown, demangled(type), text);
    } catch (const char* text) {
        append(to, unknown, demangled(type), text);
    } catch (int number) {
        append(to, unknown, demangled(type), std::to_string(number));
    } catch (...) {
        append(to, unknown, demangled(type), "an exception of type " + demangled(type));
    }
}

std::exception_ptr decode_failure(reader& from) {
    const auto kind = from.take_value<std::uint32_t>();
    const std::string type = take_text(from), text = take_text(from);
    if (kind < std::size(known_types)) return known_types[kind].make(text);
    if (kind >= system_failure && kind < unknown) return make_coded(kind, text, from);
    return std::make_exception_ptr(remote_error(type, text));
}

} // namespace heddle::detail
