// The Deferreds of a LoopingCall, and all that ends it.

#include "looping_call_support.hpp"
#include "support/log_capture.hpp"

#include <doctest/doctest.h>

#include <reactor/errors.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

TEST_CASE("L22 (S-184): the next call waits for the function's Deferred, and then for the next of the loop's times") {
    TestClock clock;
    Times times;
    std::optional<Promise<void>> work;
    Trace trace;
    LoopingCall loop(clock, [&] {
        times.push_back(clock.now() - TimePoint());
        work.emplace();
        return work->deferred();
    });
    traceResult(loop.start(1s), trace);
    clock.advance(2500ms);
    CHECK(times == Times{0s});
    work->callback();
    clock.advance(499ms);
    CHECK(times.size() == 1);
    clock.advance(1ms);
    CHECK(times == Times{0s, 3s});
}

TEST_CASE("S-185: stopped while the function's Deferred is awaited, the loop's Deferred fires when that does") {
    TestClock clock;
    Promise<void> work;
    Trace trace;
    LoopingCall loop(clock, [&] { return work.deferred(); });
    traceResult(loop.start(1s), trace);
    loop.stop();
    CHECK_FALSE(loop.isRunning());
    CHECK(trace.empty());
    CHECK_THROWS_AS(loop.start(1s).detach(), std::logic_error);
    work.callback();
    CHECK(trace == Trace{"ok"});
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("L23 (S-182): a function that throws ends the loop, and so does a Deferred that fails") {
    TestClock clock;
    int calls = 0;
    Trace trace;
    LoopingCall throwing(clock, [&] {
        if (++calls == 2)
            throw NoProtocol();
    });
    traceResult(throwing.start(1s), trace);
    clock.advance(5s);
    CHECK(trace == Trace{"NoProtocol"});
    CHECK(calls == 2);
    CHECK_FALSE(throwing.isRunning());

    Promise<void> work;
    LoopingCall failing(clock, [&] { return work.deferred(); });
    traceResult(failing.start(1s), trace);
    work.errback(Failure::of<ConnectionLost>());
    CHECK(trace == Trace{"NoProtocol", "ConnectionLost"});
    CHECK_FALSE(failing.isRunning());
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("S-182: a function that stops the loop and then fails is heard") {
    TestClock clock;
    Trace trace;
    std::optional<LoopingCall> loop;
    loop.emplace(clock, [&] {
        loop->stop();
        throw NoProtocol();
    });
    traceResult(loop->start(1s), trace);
    CHECK(trace == Trace{"NoProtocol"});
}

TEST_CASE("cancelling a loop's Deferred stops the loop, and cancels the Deferred of its function") {
    TestClock clock;
    int cancelled = 0;
    Promise<void> work;
    work.onCancel([&] { ++cancelled; });
    Trace trace;
    LoopingCall waiting(clock, [&] { return work.deferred(); });
    Deferred<LoopingCall*> first = waiting.start(1s);
    first.cancel();
    traceResult(std::move(first), trace);
    CHECK(cancelled == 1);

    Recorder recorder(clock);
    Deferred<LoopingCall*> second = recorder.loop.start(1s);
    second.cancel();
    traceResult(std::move(second), trace);
    CHECK(trace == Trace{"CancelledError", "CancelledError"});
    CHECK_FALSE(waiting.isRunning());
    CHECK_FALSE(recorder.loop.isRunning());
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("a function that outlives its cancelled loop is not forgotten when it fails") {
    const LogCapture log;
    TestClock clock;
    Promise<void> stubborn;
    Trace trace;
    LoopingCall loop(clock, [&]() -> Deferred<void> {
        Deferred<void> rest = stubborn.deferred();
        try {
            co_await clock.sleep(1h);
        } catch (const CancelledError&) {
        }
        co_await std::move(rest);
    });
    Deferred<LoopingCall*> ended = loop.start(1s);
    ended.cancel();
    traceResult(std::move(ended), trace);
    CHECK(trace == Trace{"CancelledError"});
    CHECK_THROWS_AS(loop.start(1s).detach(), std::logic_error);
    stubborn.errback(Failure::of<NoProtocol>());
    CHECK(log.count("NoProtocol") == 1);
}

TEST_CASE("a loop that is destroyed stops, cancels the Deferred of its function, and its own fires with null") {
    TestClock clock;
    Trace trace;
    Promise<void> work;
    bool isNull = false;
    auto loop = std::make_unique<LoopingCall>(clock, [&] { return work.deferred(); });
    loop->start(1s).addCallback([&](LoopingCall* ended) { isNull = ended == nullptr; }).detach();
    loop.reset();
    CHECK(isNull);
    CHECK(work.isFired());

    loop = std::make_unique<LoopingCall>(clock, [] {});
    traceResult(loop->start(1s), trace);
    loop.reset();
    CHECK(trace == Trace{"ok"});
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("a loop may be destroyed by its own function") {
    TestClock clock;
    int calls = 0;
    Trace trace;
    std::unique_ptr<LoopingCall> loop;
    const auto token = std::make_shared<int>(1);
    loop = std::make_unique<LoopingCall>(clock, [&calls, &loop, token] {
        if (++calls == 2)
            loop.reset();
        CHECK(*token == 1);
    });
    traceResult(loop->start(1s), trace);
    clock.advance(5s);
    CHECK(calls == 2);
    CHECK(trace == Trace{"ok"});
    CHECK(token.use_count() == 1);
}

TEST_CASE("the end of the clock ends its loops with CancelledError") {
    auto clock = std::make_unique<TestClock>();
    Trace trace;
    LoopingCall loop(*clock, [] {});
    traceResult(loop.start(1s), trace);
    clock.reset();
    CHECK(trace == Trace{"CancelledError"});
    CHECK_FALSE(loop.isRunning());
}
