// The event loop's mailbox: no mail is lost, and neither mail nor an interrupt lets it sleep on.
#include "aio/event_loop.hpp"

#include <cassert>
#include <thread>

using heddle::detail::deadline;
using heddle::detail::mail;
using heddle::detail::mailbox;

int main() {
    mailbox box;
    mail first, second;
    std::thread a([&] { box.post(first); });
    std::thread b([&] {
        box.post(second);
        box.interrupt();
    });
    int letters = 0;
    bool interrupted = false;
    while (letters < 2 || !interrupted) {
        box.wait(deadline::never(), nullptr);
        for (const mail* m = box.take(); m; m = m->next) ++letters;
        interrupted |= box.take_interrupt();
    }
    a.join();
    b.join();
    assert(letters == 2 && interrupted);
    assert(!box.close());
    mail late;
    assert(!box.post(late));
}
