#pragma once
// From a failure that a run showed to a finding: whether it is new, with fewer switches, told.

#include "explore.hpp"
#include "identity.hpp"
#include "judge.hpp"

#include <functional>
#include <map>
#include <optional>

namespace heddle::check {

/// A failure as one run showed it, before it is made into a finding.
struct raw_failure {
    failure kind;
    u64 signature, schedule, choices;
};

/// Thread safety: for one thread. Lifetime: refers to the session, which must outlive it.
class detective {
public:
    /// The session has run its first schedule, and `expected_exit` is known or will be.
    detective(session& runs,
              const program_file& program,
              const std::vector<std::string>& arguments,
              const check_options& options);

    /// The finding for a failure that the last run showed, saved; nothing when it is not new or
    /// does not happen again. Replays the program some hundred times; leaves the session's
    /// configuration as it was. Blocks for some seconds at most.
    std::optional<finding> investigate(const raw_failure& raw);

    /// Failures that did not happen again when they were repeated.
    u32 unrepeatable() const { return unrepeatable_; }

    const symbols& names() const { return names_; }

private:
    double elapsed() const;
    double allowed(double most) const;
    run_result& result() { return session_.shared().result; }
    run_config& config() { return session_.shared().config; }

    void learn_background();
    finding begin_finding(const raw_failure& raw);
    bool reproduces(const finding& f, std::vector<choice>& choices, bool record);
    bool has_shown(const finding& f, std::vector<choice>& choices);
    bool replays_afresh(finding& f);
    void shorten(finding& f);
    void try_fewer(finding& f, const std::function<bool()>& fails);
    bool loses_update(const finding& f);
    void find_telling_schedule(finding& f);
    bool is_libraries_own(const finding& f) const;
    void find_cause(finding& f);
    void keep(finding& f);

    session& session_;
    const program_file program_;
    const std::vector<std::string> arguments_;
    const check_options options_;
    symbols names_;
    background known_;
    std::unique_ptr<judge> judge_;
    told_bugs told_;
    std::map<std::string, std::string> claims_; // of the findings, by path
    std::string out_;                           // folder for findings
    u32 unrepeatable_ = 0;
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

} // namespace heddle::check
