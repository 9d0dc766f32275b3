#pragma once
// The functions that ours stand before, for threads that are not under control and for what only
// the C library can do.

#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

struct sigaction;

namespace heddle::check::rt {

/// The function of that name which ours stands before; null if there is none.
template <class F>
F real_function(const char* name) {
    return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

struct real_calls {
    int (*mutex_init)(pthread_mutex_t*, const pthread_mutexattr_t*);
    int (*mutex_destroy)(pthread_mutex_t*);
    int (*mutex_lock)(pthread_mutex_t*);
    int (*mutex_trylock)(pthread_mutex_t*);
    int (*mutex_unlock)(pthread_mutex_t*);
    int (*cond_wait)(pthread_cond_t*, pthread_mutex_t*);
    int (*cond_signal)(pthread_cond_t*);
    int (*cond_broadcast)(pthread_cond_t*);
    int (*once)(pthread_once_t*, void (*)());
    int (*create)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
    int (*join)(pthread_t, void**);
    int (*detach)(pthread_t);
    void (*exit_thread)(void*);
    int (*key_create)(pthread_key_t*, void (*)(void*));
    int (*cxa_thread_atexit)(void (*)(void*), void*, void*);
    void (*exit)(int);
    int (*fork)();
    int (*clock_gettime)(clockid_t, timespec*);
    int (*affinity)(int, unsigned long, void*);
};

/// Looked up on the first call.
const real_calls& real();

} // namespace heddle::check::rt
