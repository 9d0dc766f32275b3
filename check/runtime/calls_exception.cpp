// Exception objects are counted inside libstdc++, where nobody sees it: the thread that drops the
// last reference destroys what other threads have read. These hooks order it after them.
#include "real.hpp"
#include "sync.hpp"

#include <exception>

using namespace heddle::check::rt;

namespace {

/// A reference to the exception object is about to be dropped, perhaps the last one.
void drop_reference(const void* object) {
    if (object == nullptr || !has_turn()) return;
    sync_object& o = sync_at(address_of(object));
    acquire_from(o.clock, self);
    release_into(o.clock, self);
}

} // namespace

HEDDLE_HOOK void
heddle_exception_release(void* pointer) asm("_ZNSt15__exception_ptr13exception_ptr10_M_releaseEv");

HEDDLE_HOOK void heddle_exception_release(void* pointer) {
    static const auto real_release =
        real_function<void (*)(void*)>("_ZNSt15__exception_ptr13exception_ptr10_M_releaseEv");
    drop_reference(*static_cast<void**>(pointer)); // its only member is the object's address
    real_release(pointer);
}

HEDDLE_HOOK void __cxa_end_catch() {
    static const auto real_end_catch = real_function<void (*)()>("__cxa_end_catch");
    if (has_turn()) {
        std::exception_ptr caught = std::current_exception();
        void* object = nullptr;
        __builtin_memcpy(&object, &caught, sizeof object);
        drop_reference(object);
    }
    real_end_catch();
}
