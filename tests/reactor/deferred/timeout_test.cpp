#include <reactor/clock.hpp>
#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>
#include <reactor/testing/clock.hpp>

#include "support/deferred_result.hpp"
#include <doctest/doctest.h>

#include <stdexcept>

using namespace torsion;
using namespace std::chrono_literals;
using test::resultOf;
using test::Trace;
using test::traceResult;
using test::valueOf;

TEST_CASE("J51 (S-171): without a result in time the Deferred fails with TimeoutError") {
    testing::Clock clock;
    Promise<int> promise;
    Deferred<int> deferred = promise.deferred().addTimeout(1500ms, clock);
    clock.advance(1499ms);
    CHECK_FALSE(deferred.hasResult());
    clock.advance(1ms);
    Trace trace;
    std::move(deferred).addErrback([&](const Failure& failure) { trace.push_back(failure.toString()); }).detach();
    CHECK(trace == Trace{"TimeoutError: There was no result within 1.5 s."});
}

TEST_CASE("J52 (S-171): a result in time stays, and the timer is cancelled") {
    testing::Clock clock;
    Promise<int> promise;
    Deferred<int> deferred = promise.deferred().addTimeout(1s, clock);
    CHECK(clock.getDelayedCalls().size() == 1);
    promise.callback(4);
    CHECK(clock.getDelayedCalls().empty());
    CHECK(valueOf(std::move(deferred)) == 4);

    Promise<int> failing;
    Deferred<int> other = failing.deferred().addTimeout(1s, clock);
    failing.errback(Failure::of<UserError>());
    CHECK(clock.getDelayedCalls().empty());
    CHECK(resultOf(std::move(other)) == "UserError");
}

TEST_CASE("J53 (S-171): onTimeoutCancel replaces the result, with a value, a failure or a Deferred") {
    testing::Clock clock;
    Trace trace;
    Promise<int> first;
    Promise<int> second;
    Promise<int> third;
    traceResult(first.deferred().addTimeout(1s, clock,
                                            [&](const Result<int>& result, Duration time) {
                                                trace.push_back(result.failure().name());
                                                CHECK(time == 1s);
                                                return 7;
                                            }),
                trace);
    traceResult(
        second.deferred().addTimeout(2s, clock, [](const Result<int>&, Duration) { return Failure::of<NoProtocol>(); }),
        trace);
    traceResult(third.deferred().addTimeout(3s, clock, [](const Result<int>&, Duration) { return succeed(8); }), trace);
    clock.advance(1s);
    clock.advance(1s);
    clock.advance(1s);
    CHECK(trace == Trace{"CancelledError", "7", "NoProtocol", "8"});
}

TEST_CASE("J54 (S-171): what a canceller brings is the result, and no TimeoutError") {
    testing::Clock clock;
    Promise<int> promise;
    promise.onCancel([&] { promise.callback(5); });
    Deferred<int> deferred = promise.deferred().addTimeout(1s, clock);
    clock.advance(1s);
    CHECK(valueOf(std::move(deferred)) == 5);

    Promise<int> failing;
    failing.onCancel([&] { failing.errback(Failure::of<NoProtocol>()); });
    Deferred<int> other = failing.deferred().addTimeout(1s, clock);
    clock.advance(1s);
    CHECK(resultOf(std::move(other)) == "NoProtocol");
}

TEST_CASE("J55 (S-171): cancelled by hand it fails with CancelledError, and the timer is gone") {
    testing::Clock clock;
    int cancelled = 0;
    Promise<int> promise;
    promise.onCancel([&] { ++cancelled; });
    Deferred<int> deferred = promise.deferred().addTimeout(1s, clock);
    deferred.cancel();
    CHECK(clock.getDelayedCalls().empty());
    clock.advance(2s);
    CHECK(cancelled == 1);
    CHECK(resultOf(std::move(deferred)) == "CancelledError");
}

TEST_CASE("J56 (S-171): an errback added earlier sees the CancelledError, and may keep it to itself") {
    testing::Clock clock;
    Promise<int> promise;
    Trace trace;
    Deferred<int> deferred = promise.deferred()
                                 .addErrback([&](const Failure& failure) {
                                     trace.push_back(failure.name());
                                     return 3;
                                 })
                                 .addTimeout(1s, clock);
    clock.advance(1s);
    CHECK(trace == Trace{"CancelledError"});
    CHECK(valueOf(std::move(deferred)) == 3);
}

TEST_CASE("S-171: the time-out reaches an inner Deferred, and one of an inner Deferred fails the outer one") {
    testing::Clock clock;
    Promise<void> outer;
    Promise<void> inner;
    Trace trace;
    inner.onCancel([&] { trace.push_back("inner cancelled"); });
    traceResult(outer.deferred().addCallback([&] { return inner.deferred(); }).addTimeout(1s, clock), trace);
    outer.callback();
    clock.advance(1s);
    CHECK(trace == Trace{"inner cancelled", "TimeoutError"});
}

TEST_CASE("a result that is there needs no timer; a negative time-out is refused") {
    testing::Clock clock;
    CHECK(valueOf(succeed(1).addTimeout(1s, clock)) == 1);
    CHECK(clock.getDelayedCalls().empty());
    Promise<void> promise;
    Deferred<void> deferred = promise.deferred();
    CHECK_THROWS_AS(std::move(deferred).addTimeout(-1s, clock).detach(), std::invalid_argument);
    promise.callback();
    CHECK(resultOf(std::move(deferred)) == "ok");
}

TEST_CASE("a Deferred that was consumed takes no time-out, and leaves no timer behind") {
    testing::Clock clock;
    Promise<int> promise;
    Deferred<int> deferred = promise.deferred();
    std::move(deferred).detach();
    CHECK_THROWS_AS(std::move(deferred).addTimeout(1s, clock).detach(), std::logic_error);
    CHECK(clock.getDelayedCalls().empty());
    promise.callback(1);
}
