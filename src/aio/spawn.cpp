#include <heddle/aio/spawn.hpp>

#include <new>

namespace heddle::detail {

struct spawned_base::cancel_mail final : mail {
    explicit cancel_mail(spawned_base& j) : mail{.run = &arrived}, target(j) {}
    static void arrived(mail& self) noexcept {
        const std::unique_ptr<cancel_mail> owner(static_cast<cancel_mail*>(&self));
        if (!owner->target.ended_) owner->target.cancel();
        owner->target.let_go();
    }
    spawned_base& target;
};

void spawned_base::request_cancel() noexcept {
    if (this_loop.loop && this_mailbox() == box_) {
        if (!ended_) cancel();
        return;
    }
    auto* const request = new cancel_mail(*this);
    hold();
    if (post(*box_, *request)) return;
    delete request;
    let_go();
}

void spawned_base::let_go() noexcept {
    // acq_rel: everybody's use of the job comes before its destruction.
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

} // namespace heddle::detail
