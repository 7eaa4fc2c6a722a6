// When a LoopingCall calls, and what it counts.

#include "looping_call_support.hpp"
#include "support/late_clock.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

TEST_CASE("L15 (S-183): after a call that took longer than the interval comes the next of the loop's times") {
    LateClock clock;
    Times times;
    Trace trace;
    LoopingCall loop(clock, [&] {
        times.push_back(clock.now() - TimePoint());
        if (times.size() == 2)
            clock.block(2500ms);
    });
    traceResult(loop.start(1s), trace);
    clock.advance(1s); // and in the call up to 3.5
    clock.advance(400ms);
    CHECK(times == Times{0s, 1s});
    clock.advance(100ms);
    clock.advance(1s);
    CHECK(times == Times{0s, 1s, 4s, 5s});
}

TEST_CASE("L16 (S-183): a late reactor skips calls, and moves none") {
    LateClock clock;
    Recorder recorder(clock);
    traceResult(recorder.loop.start(1s), recorder.result);
    for (const Duration span : {500ms, 500ms, 2500ms, 400ms, 100ms})
        clock.advance(span);
    CHECK(recorder.times == Times{0s, 1s, 3500ms, 4s});
}

TEST_CASE("L17 (S-186): withCount tells how many of the loop's times have come") {
    LateClock clock;
    Counts counts;
    Trace trace;
    LoopingCall loop = LoopingCall::withCount(
        clock, [&](std::int64_t count) { counts.emplace_back(clock.now() - TimePoint(), count); });

    SUBCASE("with a call at once") {
        traceResult(loop.start(1s), trace);
        for (const Duration span : {1000ms, 3500ms, 500ms, 1000ms})
            clock.advance(span);
        CHECK(counts == Counts{{0s, 1}, {1s, 1}, {4500ms, 3}, {5s, 1}, {6s, 1}});
    }
    SUBCASE("with the first call after an interval") {
        traceResult(loop.start(1s, FirstCall::AfterInterval), trace);
        clock.advance(1s);
        clock.advance(3s);
        CHECK(counts == Counts{{1s, 1}, {4s, 3}});
    }
    SUBCASE("started in a call that had taken long") {
        clock.block(10s);
        traceResult(loop.start(1s), trace);
        clock.advance(1s);
        CHECK(counts == Counts{{0s, 1}, {11s, 1}});
    }
}

TEST_CASE("L18 (S-186): between one and two intervals count as one") {
    LateClock clock;
    Counts counts;
    Trace trace;
    LoopingCall loop = LoopingCall::withCount(
        clock, [&](std::int64_t count) { counts.emplace_back(clock.now() - TimePoint(), count); });
    traceResult(loop.start(500ms, FirstCall::AfterInterval), trace);
    for (const Duration span : {500ms, 600ms, 400ms, 999ms})
        clock.advance(span);
    CHECK(counts == Counts{{500ms, 1}, {1100ms, 1}, {1500ms, 1}, {2499ms, 1}});
}

TEST_CASE("L19 (S-186): intervals that are fractions count 1 each, never 0") {
    TestClock clock;
    std::vector<std::int64_t> counts;
    Trace trace;
    LoopingCall loop = LoopingCall::withCount(clock, [&](std::int64_t count) { counts.push_back(count); });
    traceResult(loop.start(std::chrono::duration<double>(1.0 / 3)), trace);
    for (int i = 0; i < 1000; ++i)
        clock.advance(std::chrono::duration<double>(0.1));
    CHECK(counts == std::vector<std::int64_t>(301, 1));
}

TEST_CASE("L20 (S-186): with an interval of 0 the count is 1") {
    LateClock clock;
    std::vector<std::int64_t> counts;
    Trace trace;
    LoopingCall loop = LoopingCall::withCount(clock, [&](std::int64_t count) { counts.push_back(count); });
    traceResult(loop.start(0s), trace);
    clock.advance(0s);
    clock.advance(7s);
    CHECK(counts == std::vector<std::int64_t>{1, 1, 1});
}

TEST_CASE("L21 (S-187): reset() puts the next call one interval from now, and the others after it") {
    TestClock clock;
    Recorder recorder(clock);
    traceResult(recorder.loop.start(1s), recorder.result);
    clock.advance(1500ms);
    recorder.loop.reset();
    clock.advance(2s);
    CHECK(recorder.times == Times{0s, 1s, 2500ms, 3500ms});
    CHECK(clock.getDelayedCalls().size() == 1);
}

TEST_CASE("S-187: reset() inside the function counts from there, and withCount goes on counting") {
    LateClock clock;
    Counts counts;
    Trace trace;
    std::optional<LoopingCall> loop;
    const auto count = [&](std::int64_t n) {
        counts.emplace_back(clock.now() - TimePoint(), n);
        if (counts.size() == 2) {
            clock.block(300ms);
            loop->reset();
        }
    };
    struct Made {
        operator LoopingCall() const { return LoopingCall::withCount(clock, function); }
        LateClock& clock;
        const decltype(count)& function;
    };
    loop.emplace(Made{clock, count});
    traceResult(loop->start(1s), trace);
    for (const Duration span : {1000ms, 1000ms, 1000ms})
        clock.advance(span);
    CHECK(counts == Counts{{0s, 1}, {1s, 1}, {2300ms, 1}, {3300ms, 1}});
}

TEST_CASE("S-186: withCount counts what has passed while the function's Deferred was awaited") {
    TestClock clock;
    Counts counts;
    Trace trace;
    LoopingCall loop = LoopingCall::withCount(clock, [&](std::int64_t count) {
        counts.emplace_back(clock.now() - TimePoint(), count);
        return clock.sleep(1500ms);
    });
    traceResult(loop.start(1s), trace);
    clock.advance(4s);
    CHECK(counts == Counts{{0s, 1}, {2s, 2}, {4s, 2}});
}

TEST_CASE("L24 (S-187): an interval of 0 is a call in every turn") {
    TestClock clock;
    Recorder recorder(clock);
    traceResult(recorder.loop.start(0s), recorder.result);
    clock.pump({0s, 0s, 0s});
    CHECK(recorder.times == Times{0s, 0s, 0s, 0s});
}
