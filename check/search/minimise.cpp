#include "minimise.hpp"

#include <algorithm>

namespace heddle::check {

namespace {

std::vector<choice> without(const std::vector<choice>& all, std::size_t from, std::size_t count) {
    std::vector<choice> rest(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(from));
    const std::size_t to = std::min(all.size(), from + count);
    rest.insert(rest.end(), all.begin() + static_cast<std::ptrdiff_t>(to), all.end());
    return rest;
}

} // namespace

std::vector<choice> minimise(std::vector<choice> choices, const trial& fails, int budget) {
    std::size_t chunk = choices.size();
    while (chunk > 0 && budget > 0) {
        bool shorter = false;
        for (std::size_t from = 0; from < choices.size() && budget > 0;) {
            auto candidate = without(choices, from, chunk);
            --budget;
            // What was really chosen may be longer than what was asked for; only shorter counts.
            if (fails(candidate) && candidate.size() < choices.size()) {
                choices = std::move(candidate);
                shorter = true;
            } else {
                from += chunk;
            }
        }
        if (!shorter || chunk > choices.size())
            chunk = chunk == 1 && !shorter ? 0 : std::max<std::size_t>(chunk / 2, shorter ? 1 : 0);
    }
    return choices;
}

} // namespace heddle::check
