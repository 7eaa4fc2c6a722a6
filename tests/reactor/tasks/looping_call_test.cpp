#include "looping_call_support.hpp"

#include <doctest/doctest.h>

#include <reactor/errors.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

TEST_CASE(
    "L10 (S-182): a loop calls at once and then at every interval; its Deferred fires with it when it is stopped") {
    TestClock clock;
    Recorder recorder(clock);
    LoopingCall* ended = nullptr;
    recorder.loop.start(1s).addCallback([&](LoopingCall* loop) { ended = loop; }).detach();
    CHECK(recorder.times == Times{0s});
    CHECK(recorder.loop.isRunning());
    CHECK(recorder.loop.interval() == 1s);
    clock.advance(2s);
    CHECK(recorder.times == Times{0s, 1s, 2s});
    CHECK(ended == nullptr);
    recorder.loop.stop();
    CHECK(ended == &recorder.loop);
    CHECK_FALSE(recorder.loop.isRunning());
    CHECK(clock.getDelayedCalls().empty());
    clock.advance(10s);
    CHECK(recorder.times.size() == 3);
}

TEST_CASE("L11: a loop may make its first call after an interval") {
    TestClock clock;
    Recorder recorder(clock);
    traceResult(recorder.loop.start(2s, FirstCall::AfterInterval), recorder.result);
    clock.advance(2s - 1ns);
    CHECK(recorder.times.empty());
    clock.advance(1ns);
    clock.advance(2s);
    CHECK(recorder.times == Times{2s, 4s});
}

TEST_CASE("L12 (S-182): a negative interval is refused, and so is a start while the loop runs") {
    TestClock clock;
    Recorder recorder(clock);
    CHECK_THROWS_AS(recorder.loop.start(-1ns).detach(), std::invalid_argument);
    CHECK_FALSE(recorder.loop.isRunning());
    CHECK_THROWS_AS(recorder.loop.stop(), std::logic_error);
    CHECK_THROWS_AS(recorder.loop.reset(), std::logic_error);
    traceResult(recorder.loop.start(1s), recorder.result);
    CHECK_THROWS_AS(recorder.loop.start(1s).detach(), std::logic_error);
    CHECK(recorder.times.size() == 1);
}

TEST_CASE("L13: a loop that stops itself in its first call makes no other") {
    TestClock clock;
    int calls = 0;
    Trace trace;
    std::optional<LoopingCall> loop;
    loop.emplace(clock, [&] {
        ++calls;
        loop->stop();
    });
    traceResult(loop->start(1s), trace);
    CHECK(trace == Trace{"ok"});
    clock.advance(3s);
    CHECK(calls == 1);
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("L14: a loop that is stopped before its first call makes none, and its Deferred fires") {
    TestClock clock;
    Recorder recorder(clock);
    traceResult(recorder.loop.start(1s, FirstCall::AfterInterval), recorder.result);
    recorder.loop.stop();
    CHECK(recorder.result == Trace{"ok"});
    clock.advance(3s);
    CHECK(recorder.times.empty());
}

TEST_CASE("S-182: a loop that has ended may be started again") {
    TestClock clock;
    Recorder recorder(clock);
    traceResult(recorder.loop.start(1s), recorder.result);
    clock.advance(1500ms);
    recorder.loop.stop();
    traceResult(recorder.loop.start(2s), recorder.result);
    clock.advance(2s);
    recorder.loop.stop();
    CHECK(recorder.times == Times{0s, 1s, 1500ms, 3500ms});
    CHECK(recorder.result == Trace{"ok", "ok"});
}
