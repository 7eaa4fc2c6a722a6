#include <doctest/doctest.h>

#include <reactor/errors.hpp>
#include <reactor/looping_call.hpp>
#include <reactor/testing/clock.hpp>

#include "support/deferred_result.hpp"
#include "support/late_clock.hpp"
#include "support/log_capture.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using test::LateClock;
using test::Trace;
using test::traceResult;
using TestClock = torsion::testing::Clock;

namespace {

using Times = std::vector<Duration>;
using Counts = std::vector<std::pair<Duration, std::int64_t>>;

/// A loop that writes down when it is called.
struct Recorder {
    explicit Recorder(torsion::Clock& itsClock) : clock(itsClock) {}

    Duration time() const { return clock.now() - TimePoint(); }

    torsion::Clock& clock;
    Times times{};
    Trace result{};
    LoopingCall loop{clock, [this] { times.push_back(time()); }};
};

} // namespace

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

TEST_CASE("L24 (S-187): an interval of 0 is a call in every turn") {
    TestClock clock;
    Recorder recorder(clock);
    traceResult(recorder.loop.start(0s), recorder.result);
    clock.pump({0s, 0s, 0s});
    CHECK(recorder.times == Times{0s, 0s, 0s, 0s});
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
    const test::LogCapture log;
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
