#include <reactor/coroutine.hpp>
#include <reactor/deferred_list.hpp>
#include <reactor/deferred_lock.hpp>
#include <reactor/errors.hpp>
#include <reactor/task_scope.hpp>

#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

using namespace torsion;
using namespace torsion::test;

TEST_CASE("L1 (S-178): a free lock is had at once, a held one in order, inside release") {
    DeferredLock lock;
    Trace trace;
    CHECK(resultOf(lock.acquire()) == "ok");
    CHECK(lock.locked());
    lock.acquire().addCallback([&] { trace.push_back("second"); }).detach();
    lock.acquire().addCallback([&] { trace.push_back("third"); }).detach();
    CHECK(lock.waiting() == 2);
    lock.release();
    CHECK(trace == Trace{"second"});
    lock.release();
    CHECK(trace == Trace{"second", "third"});
    lock.release();
    CHECK_FALSE(lock.locked());
    CHECK_THROWS_AS(lock.release(), std::logic_error);
}

TEST_CASE("L1 (S-179): run releases on success and on failure, and passes the result on") {
    DeferredLock lock;
    CHECK(valueOf(lock.run([] { return 5; })) == 5);
    CHECK_FALSE(lock.locked());
    CHECK(resultOf(lock.run([]() -> int { throw NoProtocol(); })) == "NoProtocol");
    CHECK_FALSE(lock.locked());

    Promise<int> promise;
    Deferred<int> deferred = lock.run([&] { return promise.deferred(); });
    CHECK(lock.locked());
    bool ran = false;
    Deferred<void> next = lock.run([&] { ran = true; });
    CHECK_FALSE(ran);
    promise.callback(6);
    CHECK(ran);
    CHECK_FALSE(lock.locked());
    CHECK(valueOf(std::move(deferred)) == 6);
    CHECK(resultOf(std::move(next)) == "ok");
}

TEST_CASE("L2 (S-178): cancelled in the line it leaves the line, whose order stays") {
    DeferredLock lock;
    Trace trace;
    lock.acquire().detach();
    traceResult(lock.acquire().addCallback([&] { trace.push_back("second"); }), trace);
    Deferred<void> third = lock.acquire();
    traceResult(lock.acquire().addCallback([&] { trace.push_back("fourth"); }), trace);
    third.cancel();
    CHECK(resultOf(std::move(third)) == "CancelledError");
    lock.release();
    lock.release();
    CHECK(trace == Trace{"second", "ok", "fourth", "ok"});
    CHECK(lock.locked());

    bool ran = false;
    Deferred<void> run = lock.run([&] { ran = true; });
    run.cancel();
    lock.release();
    CHECK_FALSE(ran);
    CHECK_FALSE(lock.locked());
    CHECK(resultOf(std::move(run)) == "CancelledError");
}

TEST_CASE("L3 (S-178): cancelling what holds the lock changes nothing") {
    DeferredLock lock;
    Deferred<void> held = lock.acquire();
    held.cancel();
    CHECK(lock.locked());
    CHECK(resultOf(std::move(held)) == "ok");
}

TEST_CASE("L4 (S-180): at most as many run as there are tokens") {
    DeferredSemaphore semaphore(2);
    std::vector<Promise<void>> promises(5);
    int started = 0;
    std::vector<Deferred<void>> runs;
    for (Promise<void>& promise : promises)
        runs.push_back(semaphore.run([&] {
            ++started;
            return promise.deferred();
        }));
    CHECK(started == 2);
    CHECK(semaphore.waiting() == 3);
    for (std::size_t i = 0; i < promises.size(); ++i) {
        promises[i].callback();
        CHECK(started == std::min<int>(5, static_cast<int>(i) + 3));
    }
    CHECK(semaphore.tokens() == 2);
    CHECK_THROWS_AS(semaphore.release(), std::logic_error);
}

TEST_CASE("L5 (S-180): a semaphore without tokens is refused") {
    CHECK_THROWS_AS(DeferredSemaphore(0), std::invalid_argument);
}

TEST_CASE("L6 (S-180): cancelled in the line of a semaphore") {
    DeferredSemaphore semaphore(1);
    semaphore.acquire().detach();
    Deferred<void> second = semaphore.acquire();
    second.cancel();
    CHECK(semaphore.waiting() == 0);
    CHECK(resultOf(std::move(second)) == "CancelledError");
    semaphore.release();
    CHECK(semaphore.tokens() == 1);
}

TEST_CASE("a hundred thousand in the line that release at once do not do so one inside the other") {
    constexpr int kLong = 100'000;
    DeferredLock lock;
    lock.acquire().detach();
    int ran = 0;
    for (int i = 0; i < kLong; ++i)
        lock.run([&] { ++ran; }).detach();
    lock.release();
    CHECK(ran == kLong);
    CHECK_FALSE(lock.locked());
}

TEST_CASE("a lock that is destroyed fails those who wait; who runs goes on") {
    std::optional<DeferredLock> lock(std::in_place);
    Promise<int> promise;
    Trace trace;
    traceResult(lock->run([&] { return promise.deferred(); }), trace);
    traceResult(lock->acquire(), trace);
    lock.reset();
    CHECK(trace == Trace{"BrokenPromiseError"});
    promise.callback(3);
    CHECK(trace == Trace{"BrokenPromiseError", "3"});
}

TEST_CASE("a step may destroy the lock that it got") {
    std::optional<DeferredLock> lock(std::in_place);
    Trace trace;
    lock->acquire().detach();
    traceResult(lock->acquire().addCallback([&] { lock.reset(); }), trace);
    const Canceller canceller = [&] {
        Deferred<void> last = lock->acquire();
        Canceller own = last.canceller();
        traceResult(std::move(last), trace);
        return own;
    }();
    lock->release();
    canceller.cancel();
    CHECK_FALSE(lock.has_value());
    CHECK(trace == Trace{"ok", "BrokenPromiseError"});
}

TEST_CASE("a coroutine acquires, and releases by hand") {
    DeferredLock lock;
    Promise<void> work;
    auto critical = [](DeferredLock& own, Deferred<void> inside) -> Deferred<void> {
        co_await own.acquire();
        co_await std::move(inside);
        own.release();
    };
    Deferred<void> first = critical(lock, work.deferred());
    Deferred<void> second = critical(lock, succeed());
    CHECK_FALSE(second.hasResult());
    work.callback();
    CHECK(resultOf(std::move(first)) == "ok");
    CHECK(resultOf(std::move(second)) == "ok");
    CHECK_FALSE(lock.locked());
}

TEST_CASE("cancelling a group whose members wait for each other's tokens starts none of them") {
    DeferredSemaphore semaphore(1);
    Promise<void> never;
    int started = 0;
    auto work = [&]() -> Deferred<void> {
        ++started;
        return started == 1 ? never.deferred() : succeed();
    };
    SUBCASE("gatherResults") {
        std::vector<Deferred<void>> runs;
        for (int i = 0; i < 3; ++i)
            runs.push_back(semaphore.run(work));
        Deferred<void> all = gatherResults(std::move(runs));
        all.cancel();
        CHECK(resultOf(std::move(all)) == "CancelledError");
    }
    SUBCASE("a scope") {
        TaskScope scope;
        for (int i = 0; i < 3; ++i)
            scope.spawn(semaphore.run(work));
        CHECK(resultOf(scope.close()) == "ok");
    }
    CHECK(started == 1);
    CHECK(semaphore.tokens() == 1);
}
