// Threads that wait for the reactor, and futures, on every backend. Worth running with a thread sanitizer.

#include "conformance/driver.hpp"
#include "conformance/scene.hpp"
#include "support/deferred_result.hpp"
#include "support/gate.hpp"

#include <reactor/errors.hpp>
#include <reactor/threads.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

CONFORMANCE_CASE(
    "I7, I8, I9 (S-150): blockingCallFromThread gives the value, the exception and the Deferred's result") {
    Reactor& reactor = driver.reactor();
    std::string value;
    std::string thrown;
    int later = 0;
    std::string failed;
    Trace trace;
    traceResult(deferToThread(reactor,
                              [&] {
                                  value = blockingCallFromThread(
                                      reactor, [](const char* text) { return std::string(text); }, "value");
                                  try {
                                      blockingCallFromThread(reactor, [] { throw Bug(); });
                                  } catch (const Bug& bug) {
                                      thrown = bug.what();
                                  }
                                  later = blockingCallFromThread(
                                      reactor, [&reactor] { return reactor.sleep(0ms).addCallback([] { return 7; }); });
                                  try {
                                      blockingCallFromThread(reactor, [&reactor] {
                                          return reactor.sleep(0ms).addCallback(
                                              [] { return Failure::of<NoRouteError>(); });
                                      });
                                  } catch (const NoRouteError& error) {
                                      failed = error.kind().name;
                                  }
                              }),
                trace);
    driver.runUntil([&] { return !trace.empty(); });
    CHECK(trace == Trace{"ok"});
    CHECK(value == "value");
    CHECK(thrown == "a bug in user code");
    CHECK(later == 7);
    CHECK(failed == "NoRouteError");
}

CONFORMANCE_CASE("S-150: blockingCallFromThread on the reactor's own thread throws") {
    Reactor& reactor = driver.reactor();
    CHECK_THROWS_AS(blockingCallFromThread(reactor, [] {}), std::logic_error);
    bool refused = false;
    reactor.callLater(0ms, [&] {
        try {
            blockingCallFromThread(reactor, [] {});
        } catch (const std::logic_error&) {
            refused = true;
        }
    });
    driver.runUntil([&] { return refused; });
}

CONFORMANCE_CASE("S-150: a thread of the pool that waits for the reactor is served while the reactor stops") {
    Reactor& reactor = driver.reactor();
    Gate gate;
    int served = 0;
    reactor.callInThread([&] {
        gate.pass();
        blockingCallFromThread(reactor, [&] { ++served; });
        blockingCallFromThread(reactor, [&] { ++served; });
    });
    reactor.callWhenRunning([&] { reactor.stop(); });
    reactor.addSystemEventTrigger(EventPhase::After, SystemEvent::Shutdown, [&] { gate.open(); });
    runReactor(driver);
    CHECK(served == 2);
}

CONFORMANCE_CASE("S-150: the reactor's end ends blocking calls, those that began and those that did not") {
    Reactor& reactor = driver.reactor();
    ThreadPool pool; // not the reactor's: what it waits for has to be seen
    pool.start();
    std::atomic<int> cancelled{0};
    const auto endOf = [&](auto f) {
        pool.callInThread([&cancelled, &reactor, f = std::move(f)]() mutable {
            try {
                blockingCallFromThread(reactor, std::move(f));
            } catch (const CancelledError&) {
                ++cancelled;
            }
        });
    };
    Promise<void> never;
    bool asked = false;
    endOf([&] {
        asked = true;
        return never.deferred();
    });
    REQUIRE(becomes([&] {
        driver.turns(1);
        return asked;
    }));
    endOf([] { FAIL("called"); });
    REQUIRE(becomes([&] { return pool.stats().working == 2 && !pool.isBusy(); }));
    CHECK(cancelled == 0);
    driver.destroyReactor();
    pool.stop();
    CHECK(cancelled == 2);
}

CONFORMANCE_CASE("a Deferred becomes a future for another thread, value or failure") {
    Reactor& reactor = driver.reactor();
    bool fired = false;
    std::future<int> value = toFuture(reactor.sleep(0ms).addCallback([&] {
        fired = true;
        return 9;
    }));
    std::future<void> failure = toFuture(fail(Failure::of<NoRouteError>()));
    CHECK_THROWS_AS(failure.get(), NoRouteError);
    auto other = std::async(std::launch::async, [&] { return value.get() + 1; });
    driver.runUntil([&] { return fired; });
    CHECK(other.get() == 10);
}

CONFORMANCE_CASE("a future becomes a Deferred: at once when it is ready, else when a thread has it") {
    Reactor& reactor = driver.reactor();
    std::promise<std::string> first;
    first.set_value("ready");
    CHECK(resultOf(fromFuture(reactor, first.get_future())) == "ready");

    std::promise<std::string> second;
    Trace trace;
    traceResult(fromFuture(reactor, second.get_future()), trace);
    driver.turns(1);
    CHECK(trace.empty());
    second.set_value("later");
    driver.runUntil([&] { return !trace.empty(); });

    traceResult(fromFuture(reactor, std::async(std::launch::deferred, []() -> int { throw NoRouteError(); })), trace);
    driver.runUntil([&] { return trace.size() == 2; });
    CHECK(trace == Trace{"later", "NoRouteError"});
    CHECK_THROWS_AS(fromFuture(reactor, std::future<int>()).detach(), std::invalid_argument);
}
