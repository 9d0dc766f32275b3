/// `progress`: a bar on the terminal that shows how far a loop or a `map` has come.
#pragma once

#include <heddle/time.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace heddle {

/// How far something has come.
struct progress_state {
    std::string_view label{};
    std::size_t done = 0;
    std::size_t total = 0; ///< 0: not known
    duration elapsed{};    ///< since it began
};

/// Draws progress as one line on the standard error, if that is a terminal; silent elsewhere.
///
/// The line is drawn again at most ten times a second of `elapsed`, fits into 80 columns, and ends
/// with a newline when everything is done or the last copy of this object is gone. Copies share
/// one line.
///
/// Example:
///     auto pages = pool.map({.progress = heddle::progress("fetching")}, fetch, urls).collect();
///     // fetching  42% [########------------] 420/1000  83/s  0:07 left
///
/// Thread safety: may be called from any thread. Reports that come late (fewer done than shown)
/// are ignored. Lifetime: owns its label. For one run; a report of none done begins a new one.
class progress {
public:
    /// `label` stands in front of the bar. `fd` is where to draw.
    explicit progress(std::string label = {}, int fd = 2);

    /// Shows `state`, with its own label if that of `state` is empty. Does not block beyond the
    /// terminal. Never throws: a bar that cannot be drawn is no reason to fail.
    void operator()(const progress_state& state) const noexcept;

    /// Returns the label it was made with.
    std::string_view label() const noexcept;

private:
    class line;
    std::shared_ptr<line> line_;
};

namespace detail {

/// Formats `state` as one line of at most `columns` characters, without a newline.
std::string progress_line(const progress_state& state, std::size_t columns);

} // namespace detail
} // namespace heddle
