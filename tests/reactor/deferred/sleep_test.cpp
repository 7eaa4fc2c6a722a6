#include <reactor/clock.hpp>
#include <reactor/deferred.hpp>
#include <reactor/testing/clock.hpp>

#include "support/deferred_result.hpp"
#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>

using namespace torsion;
using namespace std::chrono_literals;
using test::resultOf;
using test::Trace;
using test::traceResult;

namespace {

Deferred<int> countSeconds(Clock& clock, int seconds) {
    int passed = 0;
    while (passed < seconds) {
        co_await clock.sleep(1s);
        ++passed;
    }
    co_return passed;
}

Deferred<void> sleepAgain(Clock& clock, Trace& trace) {
    for (int i = 0; i < 2; ++i) {
        const Result<void> result = co_await asResult(clock.sleep(1s));
        trace.push_back(result ? "slept" : result.failure().name());
    }
}

} // namespace

TEST_CASE("sleep fires when its time has come") {
    testing::Clock clock;
    Trace trace;
    traceResult(clock.sleep(5ms), trace);
    clock.advance(4ms);
    CHECK(trace.empty());
    clock.advance(1ms);
    CHECK(trace == Trace{"ok"});
}

TEST_CASE("a coroutine sleeps") {
    testing::Clock clock;
    Deferred<int> deferred = countSeconds(clock, 3);
    for (int i = 0; i < 3; ++i) {
        CHECK_FALSE(deferred.hasResult());
        clock.advance(1s);
    }
    CHECK(resultOf(std::move(deferred)) == "3");
}

TEST_CASE("cancelling a sleep cancels its timer") {
    testing::Clock clock;
    Deferred<void> deferred = clock.sleep(5ms);
    CHECK(clock.getDelayedCalls().size() == 1);
    deferred.cancel();
    CHECK(clock.getDelayedCalls().empty());
    CHECK(resultOf(std::move(deferred)) == "CancelledError");

    Deferred<int> counting = countSeconds(clock, 3);
    counting.cancel();
    CHECK(clock.getDelayedCalls().empty());
    CHECK(resultOf(std::move(counting)) == "CancelledError");
}

TEST_CASE("a sleep whose Deferred was dropped ends in silence") {
    testing::Clock clock;
    clock.sleep(5ms).detach();
    CHECK_NOTHROW(clock.advance(5ms));
}

TEST_CASE("the end of the clock ends the sleep with CancelledError, in coroutines too") {
    std::optional<testing::Clock> clock(std::in_place);
    Trace trace;
    traceResult(clock->sleep(5ms), trace);
    traceResult(countSeconds(*clock, 2), trace);
    clock.reset();
    CHECK(trace == Trace{"CancelledError", "CancelledError"});
}

TEST_CASE("a coroutine that was cancelled may sleep again") {
    testing::Clock clock;
    Trace trace;
    Deferred<void> deferred = sleepAgain(clock, trace);
    deferred.cancel();
    CHECK(trace == Trace{"CancelledError"});
    clock.advance(1s);
    CHECK(trace == Trace{"CancelledError", "slept"});
    CHECK(resultOf(std::move(deferred)) == "ok");
}

TEST_CASE("a negative time is refused") {
    testing::Clock clock;
    CHECK_THROWS_AS(clock.sleep(-1ms).detach(), std::invalid_argument);
}
