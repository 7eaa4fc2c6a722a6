#include <doctest/doctest.h>

#include <reactor/detail/node_pool.hpp>
#include <reactor/errors.hpp>
#include <reactor/task_scope.hpp>
#include <reactor/testing/clock.hpp>

#include "support/alloc_count.hpp"
#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;
using TestClock = torsion::testing::Clock;

namespace {

/// Waits for ever, and writes down how that ends.
Deferred<void> waiting(Clock& clock, Trace& trace, std::string name) {
    try {
        co_await clock.sleep(24h);
    } catch (const CancelledError&) {
        trace.push_back(name + " cancelled");
        throw;
    }
}

/// Needs another second to end when it is cancelled.
Deferred<void> tidy(Clock& clock, Trace& trace) {
    try {
        co_await clock.sleep(24h);
    } catch (const CancelledError&) {
        trace.push_back("tidying");
    }
    co_await clock.sleep(1s);
    trace.push_back("tidy");
}

/// What most of the tests have.
struct Scoped {
    const LogCapture log;
    TestClock clock;
    Trace trace;
    TaskScope scope;
};

} // namespace

TEST_CASE_FIXTURE(Scoped, "a scope has its tasks until they have ended") {
    CHECK(scope.spawn(clock.sleep(1s)));
    CHECK(scope.spawn([&] { return clock.sleep(2s); }));
    CHECK(scope.spawn([] {}));
    CHECK(scope.spawn(succeed(5)));
    CHECK(scope.size() == 2);
    clock.advance(1s);
    CHECK(scope.size() == 1);
    clock.advance(1s);
    CHECK(scope.size() == 0);
    CHECK_FALSE(scope.isClosed());
}

TEST_CASE_FIXTURE(Scoped, "closing a scope cancels its tasks, the last first, and its Deferred waits for all") {
    scope.spawn(waiting(clock, trace, "first"));
    scope.spawn(tidy(clock, trace));
    scope.spawn([&] { return waiting(clock, trace, "last"); });
    traceResult(scope.close(), trace);
    traceResult(scope.close(), trace);
    CHECK(scope.isClosed());
    CHECK(trace == Trace{"last cancelled", "tidying", "first cancelled"});
    CHECK(scope.size() == 1);
    clock.advance(1s);
    CHECK(trace == Trace{"last cancelled", "tidying", "first cancelled", "tidy", "ok", "ok"});
    CHECK(resultOf(scope.close()) == "ok");
    CHECK(log.count() == 0);
}

TEST_CASE_FIXTURE(Scoped, "cancelling the Deferred of close() stops the waiting alone") {
    scope.spawn(tidy(clock, trace));
    Deferred<void> closed = scope.close();
    closed.cancel();
    CHECK(resultOf(std::move(closed)) == "CancelledError");
    CHECK(scope.size() == 1);
    clock.advance(1s);
    CHECK(trace == Trace{"tidying", "tidy"});
}

TEST_CASE("destroying a scope cancels its tasks and waits for none") {
    const LogCapture log;
    TestClock clock;
    Trace trace;
    {
        TaskScope scope;
        scope.spawn(waiting(clock, trace, "first"));
        scope.spawn(tidy(clock, trace));
    }
    CHECK(trace == Trace{"tidying", "first cancelled"});
    clock.advance(1s);
    CHECK(trace.back() == "tidy");
    CHECK(log.count() == 0);
}

TEST_CASE("what waits for close() hears of it though the scope is gone") {
    TestClock clock;
    Trace trace;
    auto scope = std::make_unique<TaskScope>();
    scope->spawn(tidy(clock, trace));
    traceResult(scope->close(), trace);
    scope.reset();
    clock.advance(1s);
    CHECK(trace == Trace{"tidying", "tidy", "ok"});
}

TEST_CASE_FIXTURE(Scoped, "a task's lambda lives as long as its coroutine") {
    const auto token = std::make_shared<int>(7);
    scope.spawn([token, this]() -> Deferred<void> {
        co_await clock.sleep(1s);
        trace.push_back(std::to_string(*token));
    });
    CHECK(token.use_count() == 2);
    clock.advance(1s);
    CHECK(trace == Trace{"7"});
    CHECK(token.use_count() == 1);
}

TEST_CASE_FIXTURE(Scoped, "the failure of a task is logged with the place where it was started") {
    const auto failing = [&]() -> Deferred<void> {
        co_await clock.sleep(1s);
        throw NoProtocol();
    };
    scope.spawn(failing);
    scope.spawn([]() -> int { throw ConnectionLost(); });
    scope.spawn(fail<int>(Failure::of<DNSLookupError>()));
    CHECK(log.count("ConnectionLost") == 1);
    CHECK(log.count("DNSLookupError") == 1);
    clock.advance(1s);
    CHECK(log.count("NoProtocol") == 1);
    CHECK(log.count("task_scope_test.cpp:") == 3);
    CHECK(log.count() == 3);
}

TEST_CASE_FIXTURE(Scoped,
                  "CancelledError is logged where nobody has closed the scope, and other failures also afterwards") {
    Promise<void> promise;
    scope.spawn(promise.deferred());
    promise.errback(Failure::of<CancelledError>());
    CHECK(log.count("CancelledError") == 1);
    scope.spawn([&]() -> Deferred<void> {
        try {
            co_await clock.sleep(1h);
        } catch (const CancelledError&) {
            throw NoProtocol();
        }
    });
    CHECK(resultOf(scope.close()) == "ok");
    CHECK(log.count("NoProtocol") == 1);
    CHECK(log.count() == 2);
}

TEST_CASE_FIXTURE(Scoped, "a closed scope calls nothing any more, and cancels what it is given") {
    CHECK(resultOf(scope.close()) == "ok");
    CHECK_FALSE(scope.spawn([&] { trace.push_back("called"); }));
    CHECK_FALSE(scope.spawn(waiting(clock, trace, "late")));
    CHECK(trace == Trace{"late cancelled"});
    CHECK(scope.size() == 0);
    CHECK_FALSE(scope.spawn(tidy(clock, trace)));
    traceResult(scope.close(), trace);
    clock.advance(1s);
    CHECK(trace == Trace{"late cancelled", "tidying", "tidy", "ok"});
    CHECK(log.count() == 0);
}

TEST_CASE_FIXTURE(Scoped, "a task may close its scope: it is cancelled at its next wait") {
    scope.spawn(waiting(clock, trace, "other"));
    SUBCASE("at once") {
        scope.spawn([&]() -> Deferred<void> {
            traceResult(scope.close(), trace);
            co_await waiting(clock, trace, "self");
        });
        CHECK(trace == Trace{"other cancelled", "self cancelled", "ok"});
    }
    SUBCASE("later, and waits for that") {
        scope.spawn([&]() -> Deferred<void> {
            co_await clock.sleep(1s);
            const Result<void> closed = co_await asResult(scope.close());
            trace.push_back(closed.failure().name());
        });
        clock.advance(1s);
        CHECK(trace == Trace{"other cancelled", "CancelledError"});
    }
    CHECK(scope.size() == 0);
    CHECK(log.count() == 0);
}

TEST_CASE("a task may destroy its scope") {
    const LogCapture log;
    TestClock clock;
    Trace trace;
    auto scope = std::make_unique<TaskScope>();
    scope->spawn(waiting(clock, trace, "other"));
    SUBCASE("before it first waits") {
        scope->spawn([&]() -> Deferred<void> {
            scope.reset();
            co_await waiting(clock, trace, "self");
        });
    }
    SUBCASE("later") {
        scope->spawn([&]() -> Deferred<void> {
            co_await clock.sleep(1s);
            scope.reset();
            co_await waiting(clock, trace, "self");
        });
        clock.advance(1s);
    }
    CHECK(trace == Trace{"other cancelled", "self cancelled"});
    CHECK(log.count() == 0);
}

TEST_CASE("a task that is being cancelled may close, spawn and destroy") {
    TestClock clock;
    Trace trace;
    auto scope = std::make_unique<TaskScope>();
    scope->spawn([&]() -> Deferred<void> {
        try {
            co_await clock.sleep(1h);
        } catch (const CancelledError&) {
        }
        CHECK_FALSE(scope->spawn([] {}));
        traceResult(scope->close(), trace);
        scope.reset();
    });
    scope->spawn(waiting(clock, trace, "last"));
    traceResult(scope->close(), trace);
    CHECK(trace == Trace{"last cancelled", "ok", "ok"});
}

TEST_CASE("whoever wants to hear of failures is told after the log, and may destroy the scope") {
    const LogCapture log;
    TestClock clock;
    Trace trace;
    std::unique_ptr<TaskScope> scope;
    scope = std::make_unique<TaskScope>([&](const Failure& failure) {
        CHECK(log.count() == 1);
        trace.push_back(failure.name());
        scope.reset();
    });
    scope->spawn(waiting(clock, trace, "other"));
    Promise<void> promise;
    scope->spawn(promise.deferred());
    promise.errback(Failure::of<NoProtocol>());
    CHECK(trace == Trace{"NoProtocol", "other cancelled"});
}

TEST_CASE("a task whose promise is dropped has failed") {
    const LogCapture log;
    TaskScope scope;
    auto promise = std::make_unique<Promise<void>>();
    scope.spawn(promise->deferred());
    promise.reset();
    CHECK(log.count("BrokenPromiseError") == 1);
    CHECK(scope.size() == 0);
}

TEST_CASE_FIXTURE(Scoped, "100,000 tasks are spawned, cancelled and waited for") {
    Promise<void> never;
    int ended = 0;
    for (int i = 0; i < 100'000; ++i) {
        scope.spawn([&]() -> Deferred<void> {
            try {
                co_await clock.sleep(1h);
            } catch (const CancelledError&) {
                ++ended;
            }
        });
    }
    CHECK(scope.size() == 100'000);
    CHECK(resultOf(scope.close()) == "ok");
    CHECK(ended == 100'000);
}

TEST_CASE_FIXTURE(Scoped, "to wait for close() again and again, each time cancelled, takes no more memory") {
    scope.spawn(tidy(clock, trace));
    const auto waitInVain = [&] {
        Deferred<void> closed = scope.close();
        closed.cancel();
        std::move(closed).addErrback([](const Failure&) {}).detach();
    };
    waitInVain();
    const AllocationCount count;
    for (int i = 0; i < 100; ++i)
        waitInVain();
    CHECK((count.get() == 0) == detail::nodesArePooled());
    clock.advance(1s);
    CHECK(trace == Trace{"tidying", "tidy"});
}
