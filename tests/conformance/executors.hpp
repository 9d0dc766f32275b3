/// The executors that the conformance suite runs over, one struct each.
///
/// To add one, write such a struct and put it into a type list below. `in_process` is true if
/// tasks see the memory of the test; the tests that need gates, references or captures ask for it.
#pragma once

#include "support/ledger.hpp"

#if __has_include(<cereal/cereal.hpp>)
#include <heddle/process_pool.hpp>
#endif
#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>

#include <concepts>
#include <latch>
#include <memory>
#include <type_traits>
#include <utility>

namespace heddle::test {

struct one_worker {
    using executor = thread_pool;
    static constexpr int workers = 1;
    static std::unique_ptr<executor> make() { return std::make_unique<executor>(1); }
};

struct four_workers {
    using executor = thread_pool;
    static constexpr int workers = 4;
    static std::unique_ptr<executor> make() { return std::make_unique<executor>(4); }
};

/// Bounded pools. The bound is above what the tests queue while they hold a worker up.
template <on_full Policy, int Workers, std::size_t MaxPending>
struct bounded {
    using executor = thread_pool;
    static constexpr int workers = Workers;
    static std::unique_ptr<executor> make() {
        return std::make_unique<executor>(thread_pool_options{.max_workers = Workers,
                                                              .name = "bounded",
                                                              .max_pending = MaxPending,
                                                              .when_full = Policy});
    }
};
using blocks_when_full = bounded<on_full::block, 2, 64>;
using rejects_when_full = bounded<on_full::reject, 2, 20'000>;
using runs_here_when_full = bounded<on_full::run_here, 1, 64>;

using in_process_executors = testing::
    Types<one_worker, four_workers, blocks_when_full, rejects_when_full, runs_here_when_full>;

#if __has_include(<cereal/cereal.hpp>)
struct two_processes {
    using executor = process_pool;
    static constexpr int workers = 2;
    static std::unique_ptr<executor> make() { return std::make_unique<executor>(2); }
};
using all_executors = testing::Types<one_worker,
                                     four_workers,
                                     blocks_when_full,
                                     rejects_when_full,
                                     runs_here_when_full,
                                     two_processes>;
#else
using all_executors = in_process_executors;
#endif

/// An executor of the kind under test, and the ledger of what was submitted to it.
template <class Kind>
class executor_test : public testing::Test {
protected:
    using executor = typename Kind::executor;
    static constexpr int workers = Kind::workers;

    void TearDown() override {
        executor_.reset();
        book_.expect_balanced();
    }
    executor& pool() { return *executor_; }
    /// Ends the executor as its destructor does.
    void destroy() { executor_.reset(); }
    ledger& book() { return book_; }
    template <class... Args>
    auto submit(task_options options, Args&&... args) {
        return book_.track(executor_->submit(std::move(options), std::forward<Args>(args)...));
    }
    template <class F, class... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, task_options>)
    auto submit(F&& f, Args&&... args) {
        return book_.track(executor_->submit(std::forward<F>(f), std::forward<Args>(args)...));
    }

private:
    ledger book_;
    std::unique_ptr<executor> executor_ = Kind::make();
};

/// Keeps every worker of an executor busy until it is opened, at the latest when it goes.
class blockade {
public:
    template <class Executor>
    blockade(Executor& pool, int workers) : gates_(std::make_shared<gates>(workers)) {
        for (int i = 0; i < workers; ++i) {
            pool.post([held = gates_] {
                held->busy.count_down();
                held->go.wait();
            });
        }
        gates_->busy.wait();
    }
    ~blockade() { open(); }
    blockade(const blockade&) = delete;
    blockade& operator=(const blockade&) = delete;

    void open() {
        if (gates_) gates_->go.count_down();
        gates_.reset();
    }

private:
    struct gates {
        explicit gates(int workers) : busy(workers) {}
        std::latch busy, go{1};
    };
    std::shared_ptr<gates> gates_;
};

} // namespace heddle::test
