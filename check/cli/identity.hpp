#pragma once
// When two failures are one bug: so that each is told once, and none is swallowed by another.

#include "../report/symbols.hpp"

#include <map>
#include <string>
#include <vector>

namespace heddle::check {

/// Names for one bug. Two failures that share any of their names are the same bug.
using identity = std::vector<std::string>;

/// What was told before, by each of its names.
class told_bugs {
public:
    /// Path of the finding that has told this bug; empty when none has.
    std::string path_of(const identity& names) const;

    void add(const identity& names, const std::string& path);

private:
    std::map<std::string, std::string> path_by_name_;
};

/// What a data race of the last run, a recorded one, is known by. As much of the program as one
/// change mends is one bug:
///
/// - the same two lines and the same object: `a.x += n` reads and writes, and `a = b` copies every
///   member;
/// - the same two functions and the same variable: `int seen = n; n = seen + 1;` are two lines of
///   one update. A variable that other functions use too is one bug for each pair of them, since
///   one may hold the lock that another forgets. Members of an object are different variables.
///
/// Inside an object of the standard library lines are all that counts: one call touches many
/// nameless things.
identity race_identity(const channel& c, const symbols& names, u32 race);

/// What the failure of the last run, a recorded one that `f` was told from, is known by. What a
/// damaged object of the library leads to is one bug of each kind.
identity
identity_of(const finding& f, const channel& c, const symbols& names, const told_bugs& told);

/// What it claims, whoever is called thread 1.
std::string claim_name(const finding& f);

/// The story itself as a name, whoever is called thread 1 in it: who reads it twice has read one
/// bug.
std::string story_name(const finding& f);

} // namespace heddle::check
