/// A request under way, from `session::request` until its future is done.
#pragma once

#include "answer.hpp"
#include "curl.hpp"
#include "slots.hpp"
#include "url.hpp"

#include <heddle/detail/state.hpp>
#include <heddle/http/message.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace heddle::http::detail {

class engine;
struct settings;
struct stream;
struct transfer;

/// What other threads tell the session's thread about a transfer.
enum class letter { submitted, resumed, cancelled, returned };
inline constexpr int letter_kinds = 4;

/// The task behind the future of a request. It is pending until it ends, so that it can be
/// cancelled at any time.
class request_task final : public heddle::detail::state<response> {
public:
    /// One handle, owned by the session. Throws std::bad_alloc.
    static request_task* make(transfer& work);
    /// The transfer of `t`, if it is a request's that has not ended; else null.
    static transfer* of(const heddle::detail::task& t) noexcept;

private:
    explicit request_task(transfer& work) noexcept
        : heddle::detail::state<response>(table_, 1, true), work_(work) {}
    static void drop(heddle::detail::task& t) noexcept;
    static void destroy(heddle::detail::task& t) noexcept;
    static bool request_stop(heddle::detail::task& t) noexcept;
    static const heddle::detail::task::operations table_;

    transfer& work_; ///< dead once the task has ended, except by cancellation: see README
};

/// An easy handle of libcurl, used for one transfer after the other.
struct wire {
    /// How `configure` has left it: for a GET without fields of its own, or for anything else.
    enum class set_up { other, get, get_tls };

    easy_handle easy;
    transfer* user = nullptr; ///< what libcurl's callbacks are about
    set_up is = set_up::other;
    char error[CURL_ERROR_SIZE] = "";
};

/// Used by the session's thread only, except where it says otherwise.
struct transfer {
    transfer(engine& session, request&& asked, origin to);
    ~transfer();
    transfer(const transfer&) = delete;
    transfer& operator=(const transfer&) = delete;

    engine& of;
    request what; ///< changed by redirects: the request that is being made now
    origin target;
    request_task* task = nullptr;
    transfer* next_letter[letter_kinds] = {}; ///< guarded by the engine's mutex
    bool posted[letter_kinds] = {};           ///< guarded by the engine's mutex

    transfer* before = nullptr; ///< among all of the session
    transfer* after = nullptr;

    enum class turn_is { none, waiting, ready, running };
    turn_is turn = turn_is::none; ///< changed by `slots` only, like `at`
    server* at = nullptr;

    std::unique_ptr<wire> line;       ///< while it runs
    std::size_t index = 0;            ///< where, among those that run or rest
    string_list fields;               ///< null for a request without any of its own
    std::unique_ptr<answer> incoming; ///< apart, as `pauses`: thousands may wait for their turn
    std::exception_ptr failure;       ///< what a callback threw; ends the transfer
    std::int64_t sent = 0;            ///< bytes of the body, when they were last counted
    int sends = 0;                    ///< how often a connection stood ready for it, in this hop
    bool paused = false;              ///< the server waits for us

    std::int64_t began_ns = 0; ///< its first turn
    std::int64_t total_ns = 0; ///< when `timeout` is over; 0: no limit. So with the others
    std::int64_t connect_ns = 0;
    std::int64_t last_byte_ns = 0;
    std::int64_t rests_until_ns = 0; ///< when the next attempt may begin
    std::unique_ptr<heddle::detail::retry_pauses> pauses;

    std::vector<std::string> chain; ///< the URLs that redirected
    bool abroad = false;            ///< redirected to another origin: no credentials any more

    std::unique_ptr<stream> flow; ///< null unless a body is streamed
    bool over = false;            ///< it has been settled, or the courier is about to
    bool at_courier = false;      ///< … and the courier has not sent it back
    bool settled = false;         ///< the future is done
    bool was_cancelled = false;   ///< … because it was cancelled; written by who settles it
    bool cancel_seen = false;     ///< the letter about it has come
};

/// Makes the exception for what libcurl says, or null if the answer is whole.
std::exception_ptr explain(const transfer& t, CURLcode result);
/// Prepares `t.line` for what `t` asks.
void configure(transfer& t, const settings& of);
/// The header fields of a request that has none of its own and no body.
string_list plain_fields(const settings& of);
/// What an easy handle needs once, for all its transfers.
std::unique_ptr<wire> make_wire(const settings& of);

} // namespace heddle::http::detail
