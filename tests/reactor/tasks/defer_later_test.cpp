#include <doctest/doctest.h>

#include <reactor/defer_later.hpp>
#include <reactor/errors.hpp>
#include <reactor/testing/clock.hpp>

#include "support/deferred_result.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <utility>

using namespace std::chrono_literals;
using namespace torsion;
using test::Trace;
using test::traceResult;
using TestClock = torsion::testing::Clock;

TEST_CASE("L25 (S-188): deferLater calls after the delay and fires with what the function returns") {
    TestClock clock;
    Trace trace;
    traceResult(deferLater(clock, 3s, [text = std::make_unique<int>(5)] { return *text; }), trace);
    clock.advance(3s - 1ns);
    CHECK(trace.empty());
    clock.advance(1ns);
    CHECK(trace == Trace{"5"});
}

TEST_CASE("S-188: what the function throws is the failure, and a Deferred that it returns is waited for") {
    TestClock clock;
    Trace trace;
    traceResult(deferLater(clock, 1s, [] { throw NoProtocol(); }), trace);
    traceResult(deferLater(clock, 1s, [&] { return clock.sleep(1s); }), trace);
    traceResult(deferLater(clock, 3s), trace);
    clock.advance(1s);
    CHECK(trace == Trace{"NoProtocol"});
    clock.advance(1s);
    CHECK(trace == Trace{"NoProtocol", "ok"});
    clock.advance(1s);
    CHECK(trace == Trace{"NoProtocol", "ok", "ok"});
    CHECK_THROWS_AS(deferLater(clock, -1s, [] {}).detach(), std::invalid_argument);
}

TEST_CASE("L26 (S-188): cancelled, deferLater takes its timer back and calls nothing") {
    TestClock clock;
    Trace trace;
    Deferred<void> deferred = deferLater(clock, 1s, [&] { trace.push_back("called"); });
    deferred.cancel();
    traceResult(std::move(deferred), trace);
    CHECK(clock.getDelayedCalls().empty());
    clock.advance(2s);
    CHECK(trace == Trace{"CancelledError"});
}

TEST_CASE("S-188: cancelled after the delay, deferLater cancels the Deferred of its function") {
    TestClock clock;
    Trace trace;
    Deferred<void> deferred = deferLater(clock, 1s, [&] { return clock.sleep(1h); });
    clock.advance(1s);
    deferred.cancel();
    traceResult(std::move(deferred), trace);
    CHECK(trace == Trace{"CancelledError"});
    CHECK(clock.getDelayedCalls().empty());
}
