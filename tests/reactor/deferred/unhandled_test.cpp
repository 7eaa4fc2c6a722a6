#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <string>

using namespace torsion;
using namespace torsion::test;

TEST_CASE("J32 (S-165): a failure is logged when the Deferred that holds it is destroyed, with the place of creation") {
    LogCapture logged;
    {
        const Deferred<void> deferred = Deferred<void>::fail(Failure::of<UserError>("oops"));
        CHECK(logged.count() == 0);
    }
    REQUIRE(logged.count() == 1);
    CHECK(logged.contains("Unhandled error in Deferred: UserError: oops (created at "));
    CHECK(logged.contains("unhandled_test.cpp:"));
    CHECK(logged.count(spdlog::level::critical) == 1);
}

TEST_CASE("S-165: an errback added before the destruction keeps it out of the log") {
    LogCapture logged;
    {
        Deferred<void> deferred = Deferred<void>::fail(Failure::of<UserError>());
        std::move(deferred).addErrback([](const Failure&) {}).detach();
    }
    CHECK(logged.count() == 0);
}

TEST_CASE("J34 (S-165): an errback that returns a Deferred keeps the failure out of the log") {
    LogCapture logged;
    Promise<void> second;
    {
        Promise<void> first;
        first.deferred().addErrback([&](const Failure&) { return second.deferred(); }).detach();
        first.errback(Failure::of<UserError>());
    }
    CHECK(logged.count() == 0);
    second.callback();
    CHECK(logged.count() == 0);
}

TEST_CASE("a Deferred dropped while it waits logs the failure when it comes, once") {
    LogCapture logged;
    Promise<void> promise;
    promise.deferred().addCallback([] {}).detach();
    CHECK(logged.count() == 0);
    promise.errback(Failure::of<UserError>("late"));
    CHECK(logged.count("Unhandled error in Deferred: UserError: late") == 1);
    CHECK(logged.count() == 1);
}

TEST_CASE("the steps of a dropped Deferred still run and may handle the failure") {
    LogCapture logged;
    Trace trace;
    Promise<void> promise;
    traceResult(promise.deferred(), trace);
    promise.errback(Failure::of<UserError>());
    CHECK(trace == Trace{"UserError"});
    CHECK(logged.count() == 0);
}

TEST_CASE("a failure whose Deferred nobody took is logged when the promise goes") {
    LogCapture logged;
    {
        Promise<void> promise;
        promise.errback(Failure::of<UserError>());
        CHECK(logged.count() == 0);
    }
    CHECK(logged.count() == 1);
    { const Promise<void> unused; }
    CHECK(logged.count() == 1);
}

TEST_CASE("a failure of the last step is logged with the place of the first") {
    LogCapture logged;
    const int line = __LINE__ + 1;
    Promise<void> promise;
    promise.deferred().addCallback([] { throw NoProtocol(); }).detach();
    promise.callback();
    CHECK(logged.count() == 1);
    CHECK(logged.contains("unhandled_test.cpp:" + std::to_string(line) + ")"));
}
