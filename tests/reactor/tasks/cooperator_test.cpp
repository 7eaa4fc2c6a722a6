#include "cooperator_support.hpp"
#include "support/late_clock.hpp"

#include <doctest/doctest.h>

#include <reactor/errors.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

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
