#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <memory>
#include <optional>

using namespace torsion;
using namespace torsion::test;

TEST_CASE("J23, J25 (S-166): without a canceller the Deferred fails, and one late firing is ignored") {
    Trace trace;
    Promise<void> promise;
    Deferred<void> deferred = promise.deferred();
    deferred.cancel();
    CHECK_NOTHROW(deferred.cancel());
    CHECK(resultOf(std::move(deferred)) == "CancelledError");
    CHECK(promise.isFired());
    CHECK_NOTHROW(promise.callback());
    CHECK_THROWS_AS(promise.callback(), AlreadyCalledError);
}

TEST_CASE("J26, J27 (S-167): a canceller is called once; a late firing after it is an error") {
    int calls = 0;
    Promise<void> promise;
    Deferred<void> deferred = promise.deferred();
    promise.onCancel([&] {
        ++calls;
        deferred.cancel();
    });
    deferred.cancel();
    deferred.cancel();
    CHECK(calls == 1);
    CHECK_THROWS_AS(promise.errback(Failure::of<UserError>()), AlreadyCalledError);
    CHECK(resultOf(std::move(deferred)) == "CancelledError");
}

TEST_CASE("J28, J29 (S-167): a canceller may fire the promise itself, with success or failure, or drop it") {
    std::optional<Promise<void>> promise(std::in_place);
    Deferred<void> first = promise->deferred();
    promise->onCancel([&] { promise->callback(); });
    first.cancel();
    CHECK(resultOf(std::move(first)) == "ok");

    promise.emplace();
    Deferred<void> second = promise->deferred();
    promise->onCancel([&] { promise->errback(Failure::of<UserError>()); });
    second.cancel();
    CHECK(resultOf(std::move(second)) == "UserError");

    promise.emplace();
    Deferred<void> third = promise->deferred();
    promise->onCancel([&] { promise.reset(); });
    third.cancel();
    CHECK(resultOf(std::move(third)) == "CancelledError");
}

TEST_CASE("S-168: what a canceller throws is the failure") {
    Promise<void> promise;
    Deferred<void> deferred = promise.deferred();
    promise.onCancel([] { throw NoProtocol(); });
    deferred.cancel();
    CHECK(resultOf(std::move(deferred)) == "NoProtocol");
}

TEST_CASE("S-168: what a canceller throws after it has fired the promise is logged; the result stays") {
    LogCapture logged;
    Promise<void> promise;
    Deferred<void> deferred = promise.deferred();
    promise.onCancel([&] {
        promise.callback();
        throw NoProtocol();
    });
    deferred.cancel();
    CHECK(resultOf(std::move(deferred)) == "ok");
    CHECK(logged.count("A canceller fired its promise and then threw: NoProtocol") == 1);
}

TEST_CASE("J30 (S-169): cancelling what has its result does nothing") {
    Promise<void> promise;
    bool called = false;
    promise.onCancel([&] { called = true; });
    Deferred<void> deferred = promise.deferred();
    promise.callback();
    deferred.cancel();
    CHECK_FALSE(called);
    CHECK(resultOf(std::move(deferred)) == "ok");
    Deferred<void> born = Deferred<void>::succeed();
    born.cancel();
    born.canceller().cancel();
    CHECK(resultOf(std::move(born)) == "ok");
}

TEST_CASE("J31 (S-169): cancelling a Deferred that waits for an inner one cancels that one") {
    Trace trace;
    Promise<void> outer;
    Promise<void> inner;
    inner.onCancel([&] { trace.push_back("inner cancelled"); });
    Deferred<void> deferred = outer.deferred().addCallback([&] { return inner.deferred(); }).addCallback([] {});
    outer.callback();
    deferred.cancel();
    CHECK(trace == Trace{"inner cancelled"});
    CHECK(resultOf(std::move(deferred)) == "CancelledError");
}

TEST_CASE("J57 (S-170): the canceller is released when the promise fires") {
    auto token = std::make_shared<int>(0);
    Promise<void> promise;
    promise.onCancel([token] {});
    CHECK(token.use_count() == 2);
    promise.deferred().detach();
    promise.callback();
    CHECK(token.use_count() == 1);
    promise.onCancel([token] {});
    CHECK(token.use_count() == 1);
}

TEST_CASE("the handle of canceller() finds the Deferred wherever it was moved, and does not keep it going") {
    Trace trace;
    Canceller canceller;
    canceller.cancel();
    {
        Promise<void> promise;
        Deferred<void> deferred = promise.deferred().addCallback([] {});
        canceller = deferred.canceller();
        traceResult(std::move(deferred), trace);
        const Canceller copy = canceller;
        copy.cancel();
        CHECK(trace == Trace{"CancelledError"});
    }
    canceller.cancel();
    CHECK(trace.size() == 1);

    {
        Promise<void> promise;
        Deferred<void> deferred = promise.deferred();
        canceller = deferred.canceller();
        traceResult(std::move(deferred), trace);
    }
    CHECK(trace.back() == "BrokenPromiseError");
}

TEST_CASE("a step that cancels its own Deferred while it runs changes nothing") {
    Promise<void> promise;
    std::optional<Deferred<void>> deferred;
    deferred = promise.deferred().addCallback([&] { deferred->cancel(); });
    promise.callback();
    CHECK(resultOf(std::move(*deferred)) == "ok");
}
