#include <doctest/doctest.h>

#include <reactor/cooperator.hpp>
#include <reactor/errors.hpp>
#include <reactor/testing/clock.hpp>

#include "support/deferred_result.hpp"
#include "support/late_clock.hpp"
#include "support/log_capture.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using namespace torsion;
using TestClock = torsion::testing::Clock;
using test::LateClock;
using test::LogCapture;
using test::resultOf;
using test::Trace;
using test::traceResult;

namespace {

constexpr CooperatorOptions kOneStep{.maxSteps = 1};

/// Work of so many pieces that writes its name for each.
auto pieces(std::string name, int count, Trace& trace) {
    return [name = std::move(name), count, &trace]() mutable {
        if (count-- == 0)
            return Step::done();
        trace.push_back(name);
        return Step::more();
    };
}

/// Work that never ends.
auto counting(int& count) {
    return [&count] {
        ++count;
        return Step::more();
    };
}

} // namespace

TEST_CASE("S-190: tasks take turns, piece by piece, and begin in the next turn") {
    TestClock clock;
    Cooperator cooperator(clock);
    Trace trace;
    CooperativeTask a = cooperator.cooperate(pieces("a", 3, trace));
    CooperativeTask b = cooperator.cooperate(pieces("b", 1, trace));
    CooperativeTask c = cooperator.cooperate(pieces("c", 2, trace));
    CHECK(trace.empty());
    clock.advance(0s);
    CHECK(trace == Trace{"a", "b", "c", "a", "c", "a"});
    CHECK(a.isFinished());
    CHECK(b.isFinished());
    CHECK(c.isFinished());
}

TEST_CASE("S-190: after 10 ms of the clock's time the reactor's turn comes, and then that of the next task") {
    LateClock clock;
    Cooperator cooperator(clock);
    Trace trace;
    for (const char* name : {"a", "b", "c"}) {
        cooperator.cooperate([&clock, &trace, name] {
            trace.push_back(name);
            clock.block(4ms);
            return Step::more();
        });
    }
    clock.advance(0s);
    CHECK(trace == Trace{"a", "b", "c"});
    cooperator.cooperate(pieces("d", 1, trace));
    clock.advance(0s);
    CHECK(trace == Trace{"a", "b", "c", "a", "b", "c"});
    clock.advance(0s);
    CHECK(trace == Trace{"a", "b", "c", "a", "b", "c", "d", "a", "b", "c"});
    CHECK(clock.getDelayedCalls().size() == 1);
}

TEST_CASE("S-190: the pieces of a turn are bounded even where no time passes") {
    TestClock clock;
    int count = 0;
    Cooperator cooperator(clock);
    cooperator.cooperate(counting(count));
    clock.advance(0s);
    CHECK(count == 10'000);
    Cooperator few(clock, {.maxSteps = 3});
    int other = 0;
    few.cooperate(counting(other));
    clock.advance(0s);
    CHECK(other == 3);
    CHECK_THROWS_AS(Cooperator(clock, {.maxSteps = 0}), std::invalid_argument);
    CHECK_THROWS_AS(Cooperator(clock, {.slice = -1ns}), std::invalid_argument);
}

TEST_CASE("S-190: a task that waits for a Deferred is called again when that has fired") {
    TestClock clock;
    Cooperator cooperator(clock);
    Trace trace;
    Promise<int> promise;
    int calls = 0;
    CooperativeTask waiting = cooperator.cooperate([&]() -> Step {
        if (++calls == 1)
            return promise.deferred();
        return Step::done();
    });
    CooperativeTask other = cooperator.cooperate(pieces("other", 2, trace));
    clock.advance(0s);
    CHECK(calls == 1);
    CHECK(trace == Trace{"other", "other"});
    promise.callback(1);
    CHECK(calls == 1);
    clock.advance(0s);
    CHECK(calls == 2);
    CHECK(resultOf(waiting.whenDone()) == "ok");
}

TEST_CASE("S-190: a Deferred that fired already takes no turn, and one that fails is the task's failure") {
    TestClock clock;
    Cooperator cooperator(clock);
    int calls = 0;
    CooperativeTask ready = cooperator.cooperate([&]() -> Step {
        if (++calls == 3)
            return Step::done();
        return succeed(1);
    });
    CooperativeTask failing = cooperator.cooperate([] { return fail<int>(Failure::of<NoProtocol>()); });
    clock.advance(0s);
    CHECK(resultOf(ready.whenDone()) == "ok");
    CHECK(resultOf(failing.whenDone()) == "NoProtocol");
    CHECK_THROWS_AS(failing.stop(), TaskFailed);
}

TEST_CASE("L31 (S-190): stopping the cooperator ends all tasks with SchedulerStopped, also what is paused or waits") {
    TestClock clock;
    Cooperator cooperator(clock, kOneStep);
    Trace trace;
    int count = 0;
    Promise<void> promise;
    CooperativeTask running = cooperator.cooperate(counting(count));
    CooperativeTask paused = cooperator.cooperate(counting(count));
    paused.pause();
    CooperativeTask waiting = cooperator.cooperate([&]() -> Step { return promise.deferred(); });
    traceResult(running.whenDone(), trace);
    traceResult(paused.whenDone(), trace);
    traceResult(waiting.whenDone(), trace);
    clock.pump({0s, 0s});
    CHECK(count == 1);
    cooperator.stop();
    CHECK(trace == Trace{"SchedulerStopped", "SchedulerStopped", "SchedulerStopped"});
    CHECK(promise.isFired());
    CHECK_FALSE(cooperator.isRunning());
    CHECK_THROWS_AS(running.pause(), SchedulerStopped);
    paused.resume();
    clock.advance(1s);
    CHECK(count == 1);
    CHECK(clock.getDelayedCalls().empty());
    CooperativeTask late = cooperator.cooperate(counting(count));
    CHECK(resultOf(late.whenDone()) == "SchedulerStopped");
}

TEST_CASE("L32 (S-190): with the last task goes the timer") {
    TestClock clock;
    Cooperator cooperator(clock, kOneStep);
    int count = 0;
    CooperativeTask first = cooperator.cooperate(counting(count));
    CooperativeTask second = cooperator.cooperate(counting(count));
    clock.advance(0s);
    CHECK(clock.getDelayedCalls().size() == 1);
    first.stop();
    CHECK(clock.getDelayedCalls().size() == 1);
    second.pause();
    CHECK(clock.getDelayedCalls().empty());
    second.resume();
    CHECK(clock.getDelayedCalls().size() == 1);
    second.stop();
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("L33 (S-190): a task that was paused twice is resumed twice") {
    TestClock clock;
    Cooperator cooperator(clock, kOneStep);
    int count = 0;
    CooperativeTask task = cooperator.cooperate(counting(count));
    CHECK_THROWS_AS(task.resume(), NotPaused);
    task.pause();
    task.pause();
    task.resume();
    clock.advance(0s);
    CHECK(count == 0);
    task.resume();
    clock.advance(0s);
    CHECK(count == 1);
    CHECK_THROWS_AS(task.resume(), NotPaused);
}

TEST_CASE("S-190: a task that is paused while it waits goes on when both are over") {
    TestClock clock;
    Cooperator cooperator(clock);
    std::optional<Promise<void>> promise(std::in_place);
    int calls = 0;
    CooperativeTask task = cooperator.cooperate([&]() -> Step {
        if (++calls == 1)
            return promise->deferred();
        return Step::done();
    });
    clock.advance(0s);
    task.pause();
    task.resume();
    clock.advance(0s);
    CHECK(calls == 1);
    task.pause();
    promise->callback();
    clock.advance(0s);
    CHECK(calls == 1);
    task.resume();
    clock.advance(0s);
    CHECK(calls == 2);
    CHECK(task.isFinished());
}

TEST_CASE("L34 (S-190): what the work throws is what whenDone fails with, for everybody who asks") {
    TestClock clock;
    Cooperator cooperator(clock);
    CooperativeTask task = cooperator.cooperate([]() -> Step { throw NoProtocol(); });
    Trace trace;
    traceResult(task.whenDone(), trace);
    traceResult(task.whenDone(), trace);
    clock.advance(0s);
    CHECK(trace == Trace{"NoProtocol", "NoProtocol"});
    CHECK(resultOf(task.whenDone()) == "NoProtocol");
    CHECK_THROWS_AS(task.pause(), TaskFailed);
}

TEST_CASE("S-190: stop() ends a task with TaskStopped; what has ended cannot be stopped") {
    TestClock clock;
    Cooperator cooperator(clock, kOneStep);
    int count = 0;
    Trace trace;
    CooperativeTask stopped = cooperator.cooperate(counting(count));
    traceResult(stopped.whenDone(), trace);
    stopped.stop();
    CHECK(trace == Trace{"TaskStopped"});
    CHECK_THROWS_AS(stopped.stop(), TaskStopped);
    CHECK_THROWS_AS(stopped.pause(), TaskFinished);
    CooperativeTask done = cooperator.cooperate([] { return Step::done(); });
    clock.advance(0s);
    CHECK_THROWS_AS(done.stop(), TaskDone);
    CHECK(count == 0);
}

TEST_CASE("L35 (S-190): a task that is stopped while it waits is not resumed; what it waited for is cancelled") {
    TestClock clock;
    Cooperator cooperator(clock);
    int cancelled = 0;
    int calls = 0;
    Promise<void> heedless;
    Promise<void> heeding;
    heeding.onCancel([&] { ++cancelled; });
    CooperativeTask first = cooperator.cooperate([&]() -> Step {
        ++calls;
        return heedless.deferred();
    });
    CooperativeTask second = cooperator.cooperate([&]() -> Step {
        ++calls;
        return heeding.deferred();
    });
    clock.advance(0s);
    first.stop();
    second.stop();
    heedless.callback();
    clock.advance(1s);
    CHECK(calls == 2);
    CHECK(cancelled == 1);
    CHECK(resultOf(first.whenDone()) == "TaskStopped");
}

TEST_CASE("a task may pause, stop and add others from inside its work") {
    TestClock clock;
    Cooperator cooperator(clock);
    Trace trace;
    std::optional<CooperativeTask> pausing;
    std::optional<CooperativeTask> stopping;
    pausing = cooperator.cooperate([&] {
        trace.push_back("pausing");
        pausing->pause();
        return Step::more();
    });
    const auto token = std::make_shared<int>(1);
    stopping = cooperator.cooperate([&, token]() -> Step {
        stopping->stop();
        cooperator.cooperate(pieces("added", 1, trace));
        return clock.sleep(1h * *token);
    });
    clock.advance(0s);
    CHECK(trace == Trace{"pausing", "added"});
    CHECK(token.use_count() == 1);
    CHECK(clock.getDelayedCalls().empty());
    CHECK_FALSE(pausing->isFinished());
}

TEST_CASE("a cooperator may be stopped and destroyed by one of its tasks") {
    TestClock clock;
    Trace trace;
    int count = 0;
    auto cooperator = std::make_unique<Cooperator>(clock);
    CooperativeTask first = cooperator->cooperate([&] {
        cooperator.reset();
        return Step::more();
    });
    traceResult(first.whenDone(), trace);
    traceResult(cooperator->coiterate(counting(count)), trace);
    clock.advance(0s);
    CHECK(trace == Trace{"SchedulerStopped", "SchedulerStopped"});
    CHECK(count == 0);
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("coiterate: the Deferred of a task, which stops it when it is cancelled") {
    TestClock clock;
    Cooperator cooperator(clock, kOneStep);
    Trace trace;
    int count = 0;
    traceResult(cooperator.coiterate(pieces("piece", 1, trace)), trace);
    Deferred<void> endless = cooperator.coiterate(counting(count));
    clock.pump({0s, 0s, 0s, 0s});
    CHECK(trace == Trace{"piece", "ok"});
    CHECK(count == 2);
    endless.cancel();
    traceResult(std::move(endless), trace);
    clock.advance(1s);
    CHECK(trace.back() == "CancelledError");
    CHECK(count == 2);
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("cancelling what whenDone has given stops the waiting, not the task") {
    TestClock clock;
    Cooperator cooperator(clock, kOneStep);
    int count = 0;
    CooperativeTask task = cooperator.cooperate(counting(count));
    Deferred<void> done = task.whenDone();
    done.cancel();
    CHECK(resultOf(std::move(done)) == "CancelledError");
    clock.advance(0s);
    CHECK(count == 1);
    task.stop();
}

TEST_CASE("cooperate on a clock makes a cooperator that lasts as long as the task") {
    TestClock clock;
    Trace trace;
    CooperativeTask task = cooperate(clock, pieces("piece", 2, trace));
    traceResult(task.whenDone(), trace);
    clock.advance(0s);
    CHECK(trace == Trace{"piece", "piece", "ok"});
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE("the end of the clock ends its tasks with SchedulerStopped") {
    auto clock = std::make_unique<TestClock>();
    Trace trace;
    int count = 0;
    CooperativeTask task = cooperate(*clock, counting(count));
    traceResult(task.whenDone(), trace);
    clock.reset();
    CHECK(trace == Trace{"SchedulerStopped"});
}

TEST_CASE("the failure of a task that nobody asked is logged with the place where it was started") {
    const LogCapture log;
    TestClock clock;
    Cooperator cooperator(clock);
    cooperator.cooperate([]() -> Step { throw NoProtocol(); });
    clock.advance(0s);
    CHECK(log.count("NoProtocol") == 1);
    CHECK(log.contains("cooperator_test.cpp"));
}

TEST_CASE("a paused task that nobody can resume any more is dropped, and its Deferred fails") {
    TestClock clock;
    Cooperator cooperator(clock);
    Trace trace;
    {
        CooperativeTask task = cooperator.cooperate([] { return Step::more(); });
        traceResult(task.whenDone(), trace);
        task.pause();
    }
    CHECK(trace == Trace{"BrokenPromiseError"});
    cooperator.stop();
}

TEST_CASE("work that gives a Deferred which was consumed fails its task; the others go on") {
    const LogCapture log;
    TestClock clock;
    Cooperator cooperator(clock);
    Trace trace;
    Deferred<void> given = succeed();
    std::move(given).addCallback([] {}).detach();
    CooperativeTask wrong = cooperator.cooperate([&]() -> Step { return std::move(given); });
    Deferred<void> ended = wrong.whenDone();
    cooperator.cooperate(pieces("a", 2, trace));
    clock.advance(0s);
    cooperator.cooperate(pieces("b", 1, trace));
    clock.advance(0s);
    CHECK(trace == Trace{"a", "a", "b"});
    CHECK(wrong.isFinished());
    CHECK(resultOf(std::move(ended)) != "ok");
}
