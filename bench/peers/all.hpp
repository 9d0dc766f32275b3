/// Every pool that this build has, Heddle first.
#pragma once

#include "heddle.hpp"
#include "naive.hpp"
#if HEDDLE_BENCH_ASIO
#include "asio.hpp"
#endif
#if HEDDLE_BENCH_MOODYCAMEL
#include "moodycamel.hpp"
#endif
#if HEDDLE_BENCH_TBB
#include "tbb.hpp"
#endif

namespace bench {

/// Calls `f.operator()<Pool>()` for each of them.
template <class F>
void for_each_pool(F f) {
    f.template operator()<heddle_pool>();
    f.template operator()<naive_pool>();
#if HEDDLE_BENCH_ASIO
    f.template operator()<asio_pool>();
#endif
#if HEDDLE_BENCH_MOODYCAMEL
    f.template operator()<moodycamel_pool>();
#endif
#if HEDDLE_BENCH_TBB
    f.template operator()<tbb_pool>();
#endif
}

} // namespace bench
