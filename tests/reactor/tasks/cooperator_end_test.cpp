// How tasks of a Cooperator end, and who hears of it.

#include "cooperator_support.hpp"
#include "support/log_capture.hpp"

#include <doctest/doctest.h>

#include <reactor/errors.hpp>

#include <chrono>
#include <memory>
#include <utility>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

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
    CHECK(log.contains("cooperator_end_test.cpp"));
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
