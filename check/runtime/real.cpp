#include "real.hpp"

namespace heddle::check::rt {

namespace {

template <class F>
void find(F& into, const char* name) {
    into = real_function<F>(name);
}

} // namespace

const real_calls& real() {
    static real_calls calls;
    static bool done;
    if (done) return calls;
    find(calls.mutex_init, "pthread_mutex_init");
    find(calls.mutex_destroy, "pthread_mutex_destroy");
    find(calls.mutex_lock, "pthread_mutex_lock");
    find(calls.mutex_trylock, "pthread_mutex_trylock");
    find(calls.mutex_unlock, "pthread_mutex_unlock");
    find(calls.cond_wait, "pthread_cond_wait");
    find(calls.cond_signal, "pthread_cond_signal");
    find(calls.cond_broadcast, "pthread_cond_broadcast");
    find(calls.once, "pthread_once");
    find(calls.create, "pthread_create");
    find(calls.join, "pthread_join");
    find(calls.detach, "pthread_detach");
    find(calls.exit_thread, "pthread_exit");
    find(calls.key_create, "pthread_key_create");
    find(calls.cxa_thread_atexit, "__cxa_thread_atexit_impl");
    find(calls.exit, "exit");
    find(calls.fork, "fork");
    find(calls.clock_gettime, "clock_gettime");
    find(calls.affinity, "sched_getaffinity");
    done = true;
    return calls;
}

} // namespace heddle::check::rt
