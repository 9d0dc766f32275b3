#include "asymmetric.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace heddle::detail {

namespace {
long membarrier(int command) noexcept {
    return syscall(SYS_membarrier, command, 0u, 0);
}
} // namespace

constinit bool asymmetric_barriers = false;

void choose_barriers() noexcept {
    static const bool chosen = [] {
        asymmetric_barriers = !HEDDLE_INSTRUMENTED && !detector::listens() &&
                              membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
        return true;
    }();
    (void)chosen;
}

void heavy_barrier() noexcept {
    if (asymmetric_barriers) membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

} // namespace heddle::detail
