#include <reactor/coroutine.hpp>
#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <optional>
#include <string>

using namespace torsion;
using namespace torsion::test;

namespace {

Deferred<int> pass(Deferred<int> number) {
    co_return co_await std::move(number);
}

Deferred<int> translate(Deferred<int> number) {
    try {
        co_return co_await std::move(number);
    } catch (const CancelledError&) {
        throw NoProtocol();
    }
}

Deferred<int> catching(Deferred<int> number, Trace& trace) {
    try {
        co_return co_await std::move(number);
    } catch (const CancelledError&) {
        trace.push_back("cleaning up");
    }
    co_return -1;
}

Deferred<int> retry(Deferred<int> first, Deferred<int> second) {
    try {
        co_return co_await std::move(first);
    } catch (const CancelledError&) {
    }
    co_return co_await std::move(second);
}

} // namespace

TEST_CASE("K7: cancelling a coroutine cancels what it awaits") {
    int cancelled = 0;
    Promise<int> promise;
    promise.onCancel([&] { ++cancelled; });
    Deferred<int> deferred = pass(promise.deferred());
    deferred.cancel();
    CHECK(cancelled == 1);
    CHECK(resultOf(std::move(deferred)) == "CancelledError");
}

TEST_CASE("K8: CancelledError goes through all coroutines that await each other") {
    int cancelled = 0;
    Promise<int> promise;
    promise.onCancel([&] { ++cancelled; });
    Deferred<int> deferred = pass(pass(pass(promise.deferred())));
    deferred.cancel();
    CHECK(cancelled == 1);
    CHECK(resultOf(std::move(deferred)) == "CancelledError");
}

TEST_CASE("K9: the coroutine may make another error of it") {
    Promise<int> promise;
    Deferred<int> deferred = pass(translate(promise.deferred()));
    deferred.cancel();
    CHECK(resultOf(std::move(deferred)) == "NoProtocol");
}

TEST_CASE("K10, K12: the coroutine may catch it, clean up, and succeed") {
    Trace trace;
    Promise<int> promise;
    Deferred<int> deferred = pass(catching(promise.deferred(), trace));
    deferred.cancel();
    CHECK(trace == Trace{"cleaning up"});
    CHECK(valueOf(std::move(deferred)) == -1);
}

TEST_CASE("K11: the coroutine may await again; it stays pending and can be cancelled again") {
    Promise<int> first;
    Promise<int> second;
    Deferred<int> deferred = retry(first.deferred(), second.deferred());
    deferred.cancel();
    CHECK_FALSE(deferred.hasResult());
    deferred.cancel();
    CHECK(second.isFired());
    CHECK(resultOf(std::move(deferred)) == "CancelledError");

    Promise<int> third;
    Promise<int> fourth;
    Deferred<int> other = retry(third.deferred(), fourth.deferred());
    other.cancel();
    fourth.callback(4);
    CHECK(valueOf(std::move(other)) == 4);
}

TEST_CASE("K12: what the canceller of the awaited Deferred brings is what the coroutine gets") {
    Promise<int> promise;
    promise.onCancel([&] { promise.callback(8); });
    Deferred<int> deferred = pass(promise.deferred());
    deferred.cancel();
    CHECK(valueOf(std::move(deferred)) == 8);
}

TEST_CASE("a Canceller finds what the coroutine awaits at the time") {
    Promise<int> first;
    Promise<int> second;
    Trace trace;
    Deferred<int> deferred = retry(first.deferred(), second.deferred());
    const Canceller canceller = deferred.canceller();
    traceResult(std::move(deferred), trace);
    first.errback(Failure::of<CancelledError>());
    CHECK(trace.empty());
    canceller.cancel();
    CHECK(second.isFired());
    CHECK(trace == Trace{"CancelledError"});
    canceller.cancel();
    CHECK(trace.size() == 1);
}

TEST_CASE("a coroutine that is cancelled while it runs is cancelled at the next Deferred that it must wait for") {
    Trace trace;
    Promise<void> start;
    Promise<int> later;
    std::optional<Deferred<int>> own;
    auto run = [](Deferred<void> begin, Deferred<int> awaited, std::optional<Deferred<int>>& self,
                  Trace& steps) -> Deferred<int> {
        co_await std::move(begin);
        self->cancel();
        self->cancel();
        co_await succeed();
        steps.push_back("goes on");
        co_return co_await std::move(awaited);
    };
    own = run(start.deferred(), later.deferred(), own, trace);
    start.callback();
    CHECK(trace == Trace{"goes on"});
    CHECK(later.isFired());
    CHECK(resultOf(std::move(*own)) == "CancelledError");
}

TEST_CASE("a coroutine that has ended is not cancelled") {
    Promise<int> promise;
    Deferred<int> deferred = pass(promise.deferred());
    const Canceller canceller = deferred.canceller();
    promise.callback(1);
    canceller.cancel();
    deferred.cancel();
    CHECK(valueOf(std::move(deferred)) == 1);
    canceller.cancel();
}

TEST_CASE("cancelling from inside of the awaited Deferred's canceller changes nothing") {
    Promise<int> promise;
    std::optional<Deferred<int>> deferred;
    int calls = 0;
    promise.onCancel([&] {
        ++calls;
        deferred->cancel();
    });
    deferred = pass(promise.deferred());
    deferred->cancel();
    CHECK(calls == 1);
    CHECK(resultOf(std::move(*deferred)) == "CancelledError");
}

TEST_CASE("a coroutine whose Deferred was dropped is not cancelled by that") {
    Trace trace;
    Promise<int> promise;
    pass(promise.deferred()).addCallback([&](int number) { trace.push_back(std::to_string(number)); }).detach();
    CHECK_FALSE(promise.isFired());
    promise.callback(5);
    CHECK(trace == Trace{"5"});
}
