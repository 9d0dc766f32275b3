/// Exceptions that cross processes: standard types as themselves, others by name and text.
#include "frame.hpp"

#include <heddle/error.hpp>

#include <cxxabi.h>

#include <any>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
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
    known<std::runtime_error>(),
    known<std::logic_error>(),
    known<std::invalid_argument>(),
    known<std::domain_error>(),
    known<std::length_error>(),
    known<std::out_of_range>(),
    known<std::range_error>(),
    known<std::overflow_error>(),
    known<std::underflow_error>(),
    known<std::bad_alloc>(),
    known<std::bad_array_new_length>(),
    known<std::bad_cast>(),
    known<std::bad_typeid>(),
    known<std::bad_any_cast>(),
    known<std::bad_function_call>(),
    known<std::bad_optional_access>(),
    known<std::bad_variant_access>(),
    known<std::bad_exception>(),
    known<std::exception>(),
};
constexpr std::uint32_t code_of_generic = 1000, code_of_system = 1001, unknown = 1002;

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

} // namespace

void encode_failure(message& to) {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    try {
        throw;
    } catch (const std::system_error& e) {
        const std::error_code code = e.code();
        const bool is_system = code.category() == std::system_category();
        const bool is_own = *type == typeid(std::system_error) &&
                            (is_system || code.category() == std::generic_category());
        if (!is_own) return append(to, unknown, demangled(type), e.what());
        append(to,
               is_system ? code_of_system : code_of_generic,
               "",
               without(e.what(), code.message()));
        to.append_value(code.value());
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
    if (kind == code_of_generic || kind == code_of_system) {
        const std::error_category& category =
            kind == code_of_system ? std::system_category() : std::generic_category();
        const std::error_code code(from.take_value<int>(), category);
        return std::make_exception_ptr(text.empty() ? std::system_error(code)
                                                    : std::system_error(code, text));
    }
    return std::make_exception_ptr(remote_error(type, text));
}

} // namespace heddle::detail
