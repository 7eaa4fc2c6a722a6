// Threads beside a reactor, on every backend. Worth running with a thread sanitizer.

#include "conformance/driver.hpp"
#include "conformance/scene.hpp"
#include "support/deferred_result.hpp"
#include "support/gate.hpp"
#include "support/log_capture.hpp"

#include <reactor/errors.hpp>
#include <reactor/threads.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

CONFORMANCE_CASE("I1 (S-143): what another thread gives to callFromThread runs on the reactor's thread") {
    Reactor& reactor = driver.reactor();
    std::thread::id where;
    std::thread other([&] { reactor.callFromThread([&] { where = std::this_thread::get_id(); }); });
    other.join();
    CHECK(where == std::thread::id());
    driver.runUntil([&] { return where != std::thread::id(); });
    CHECK(where == std::this_thread::get_id());
}

CONFORMANCE_CASE("I2 (S-143): callFromThread inside a timed call runs without waiting for anything else") {
    Reactor& reactor = driver.reactor();
    bool called = false;
    reactor.callLater(0ms, [&] { reactor.callFromThread([&] { called = true; }); });
    driver.turns(3);
    CHECK(called);
}

CONFORMANCE_CASE("I3, I4 (S-143, S-145): calls given before the reactor runs are kept, and run in order") {
    Reactor& reactor = driver.reactor();
    std::vector<int> order;
    for (int i = 0; i < 10; ++i)
        reactor.callFromThread([&order, i] { order.push_back(i); });
    CHECK(order.empty());
    reactor.callFromThread([&] { reactor.stop(); });
    runReactor(driver);
    CHECK(order == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

namespace {

/// Gives itself to callFromThread again and again.
struct Again {
    Reactor& reactor;
    int& count;
    void operator()() {
        ++count;
        reactor.callFromThread(*this);
    }
};

} // namespace

CONFORMANCE_CASE("I5 (S-144): a call that gives itself to callFromThread runs once a turn, and starves nobody") {
    Reactor& reactor = driver.reactor();
    int count = 0;
    reactor.callFromThread(Again{reactor, count});
    driver.turns(5);
    CHECK(count <= 5);
    bool fired = false;
    reactor.callLater(0ms, [&] { fired = true; });
    driver.turns(2);
    CHECK(fired);
}

CONFORMANCE_CASE("I6 (S-146): a hundred thousand calls from a thread while the reactor is kept busy do no harm") {
    Reactor& reactor = driver.reactor();
    constexpr int kCalls = 100'000;
    int count = 0;
    std::thread other([&] {
        for (int i = 0; i < kCalls; ++i)
            reactor.callFromThread([&] { ++count; });
    });
    other.join(); // nothing of it has been served yet
    driver.runUntil([&] { return count == kCalls; });
}

CONFORMANCE_CASE("I10 (S-148): deferToThread calls on another thread, and fires on the reactor's, never at once") {
    Reactor& reactor = driver.reactor();
    std::atomic<std::thread::id> where;
    std::thread::id heard;
    std::string result;
    deferToThread(
        reactor,
        [&](const std::string& text) {
            where = std::this_thread::get_id();
            return text + "!";
        },
        "done")
        .addCallback([&](const std::string& text) {
            heard = std::this_thread::get_id();
            result = text;
        })
        .detach();
    CHECK(result.empty());
    driver.runUntil([&] { return !result.empty(); });
    CHECK(result == "done!");
    CHECK(heard == std::this_thread::get_id());
    CHECK(where.load() != heard);
}

CONFORMANCE_CASE("I11 (S-148): what a thread's function throws or returns as a failure is the Deferred's failure") {
    Reactor& reactor = driver.reactor();
    Trace trace;
    traceResult(deferToThread(reactor, []() -> int { throw NoRouteError("no way"); }), trace);
    driver.runUntil([&] { return trace.size() == 1; });
    traceResult(deferToThread(reactor, [] { return Failure::of<TimeoutError>(); }), trace);
    driver.runUntil([&] { return trace.size() == 2; });
    traceResult(deferToThread(reactor, [] { return Result<int>(7); }), trace);
    driver.runUntil([&] { return trace.size() == 3; });
    traceResult(deferToThread(reactor, [] {}), trace);
    driver.runUntil([&] { return trace.size() == 4; });
    CHECK(trace == Trace{"NoRouteError", "TimeoutError", "7", "ok"});
}

CONFORMANCE_CASE("S-148: arguments and results of deferToThread may be moved only") {
    Reactor& reactor = driver.reactor();
    std::unique_ptr<int> result;
    deferToThread(
        reactor,
        [](std::unique_ptr<int> number) {
            ++*number;
            return number;
        },
        std::make_unique<int>(41))
        .addCallback([&](std::unique_ptr<int> number) { result = std::move(number); })
        .detach();
    driver.runUntil([&] { return result != nullptr; });
    CHECK(*result == 42);
}

CONFORMANCE_CASE("a coroutine awaits a thread") {
    Reactor& reactor = driver.reactor();
    struct Work {
        static Deferred<int> run(Reactor& own) {
            auto first = deferToThread(own, [] { return 20; });
            int sum = co_await std::move(first);
            auto second = deferToThread(own, [sum] { return sum + 22; });
            sum = co_await std::move(second);
            co_return sum;
        }
    };
    Trace trace;
    traceResult(Work::run(reactor), trace);
    driver.runUntil([&] { return !trace.empty(); });
    CHECK(trace == Trace{"42"});
}

CONFORMANCE_CASE("a cancelled call that has not begun never begins; of one that has the result is dropped") {
    Reactor& reactor = driver.reactor();
    reactor.getThreadPool().configure({.maxThreads = 1});
    Gate gate;
    std::atomic<bool> begun{false};
    Trace trace;
    Deferred<int> running = deferToThread(reactor, [&] {
        gate.pass();
        return 1;
    });
    Deferred<void> waiting = deferToThread(reactor, [&] { begun = true; });
    const Canceller cancelRunning = running.canceller();
    const Canceller cancelWaiting = waiting.canceller();
    traceResult(std::move(running), trace);
    traceResult(std::move(waiting), trace);
    driver.turns(1);
    REQUIRE(gate.awaitArrivals(1));
    cancelRunning.cancel();
    cancelWaiting.cancel();
    CHECK(trace == Trace{"CancelledError", "CancelledError"});
    gate.open();
    traceResult(deferToThread(reactor, [] { return 3; }), trace);
    driver.runUntil([&] { return trace.size() == 3; });
    CHECK(trace.back() == "3");
    CHECK_FALSE(begun);
}

CONFORMANCE_CASE("S-171: a time-out of deferToThread fires while its thread goes on") {
    Reactor& reactor = driver.reactor();
    auto gate = std::make_shared<Gate>();
    Trace trace;
    // What waits for the reactor does not keep a MemoryReactor's time.
    traceResult(deferToThread(reactor,
                              [gate] {
                                  const ThreadPool::Waiting waiting;
                                  gate->pass();
                              })
                    .addTimeout(1ms, reactor),
                trace);
    driver.runUntil([&] { return !trace.empty(); });
    CHECK(trace == Trace{"TimeoutError"});
    gate->open();
}

CONFORMANCE_CASE("I12 (S-147): a stop calls what was given, delivers results, and joins the threads") {
    Reactor& reactor = driver.reactor();
    reactor.getThreadPool().configure({.maxThreads = 2});
    std::atomic<int> called{0};
    Trace trace;
    reactor.callWhenRunning([&] {
        for (int i = 0; i < 20; ++i)
            reactor.callInThread([&] { ++called; });
        traceResult(deferToThread(reactor, [] { return 5; }), trace);
        reactor.stop();
    });
    runReactor(driver);
    CHECK(called == 20);
    CHECK(trace == Trace{"5"});
    CHECK(reactor.getThreadPool().stats().threads == 0);
}

CONFORMANCE_CASE("S-147: the pool works before the first run and in each one after it") {
    Reactor& reactor = driver.reactor();
    for (int round = 0; round < 3; ++round) {
        Trace trace;
        traceResult(deferToThread(reactor, [round] { return round; }), trace);
        reactor.callWhenRunning([&] { reactor.stop(); });
        runReactor(driver);
        CHECK(trace == Trace{std::to_string(round)});
    }
    Trace trace;
    traceResult(deferToThread(reactor, [] { return 3; }), trace);
    driver.runUntil([&] { return !trace.empty(); });
    CHECK(trace == Trace{"3"});
}

CONFORMANCE_CASE("S-147: what is given while the threads end waits for the next turn that is not of this run") {
    Reactor& reactor = driver.reactor();
    Gate gate;
    Trace trace;
    reactor.callWhenRunning([&] {
        deferToThread(reactor, [&] {
            gate.pass();
        }).addCallback([&] {
              traceResult(deferToThread(reactor, [] { return 2; }), trace);
          }).detach();
        reactor.stop();
    });
    reactor.addSystemEventTrigger(EventPhase::After, SystemEvent::Shutdown,
                                  [&] { reactor.callLater(0ms, [&] { gate.open(); }); });
    runReactor(driver);
    CHECK(trace.empty());
    CHECK(reactor.getThreadPool().stats().threads == 0);
    driver.runUntil([&] { return !trace.empty(); });
    CHECK(trace == Trace{"2"});
}

CONFORMANCE_CASE("S-147: run() returns without a thread whose call does not end, and the next one has its result") {
    LogCapture log;
    Reactor& reactor = driver.reactor();
    reactor.getThreadPool().configure({.maxThreads = 1, .stopTimeout = 1ms});
    const auto gate = std::make_shared<Gate>();
    Trace trace;
    reactor.callWhenRunning([&] {
        traceResult(deferToThread(reactor,
                                  [gate] {
                                      const ThreadPool::Waiting waiting;
                                      return gate->pass() ? 1 : 0;
                                  }),
                    trace);
        traceResult(deferToThread(reactor, [] { return 2; }), trace);
        driver.reactor().callLater(0ms, [&] {
            gate->awaitArrivals(1);
            reactor.stop();
        });
    });
    runReactor(driver);
    CHECK(log.count("1 of its calls ran") == 1);
    CHECK(log.contains("1 that waited were dropped"));
    gate->open();
    CHECK(becomes([&] { // no reactor waits for a thread that was left behind, a MemoryReactor neither
        driver.turn();
        return trace.size() == 2;
    }));
    CHECK(trace == Trace{"CancelledError", "1"});
    CHECK(becomes([&] { return gate.use_count() == 1; }));
}

CONFORMANCE_CASE("S-148: a Deferred that waits for a thread when the reactor is destroyed fails with CancelledError") {
    LogCapture log;
    const auto gate = std::make_shared<Gate>();
    const auto left = std::make_shared<Gate>();
    const auto value = std::make_shared<int>(1);
    Trace trace;
    traceResult(deferToThread(driver.reactor(),
                              [gate, left, value]() mutable {
                                  gate->pass();
                                  left->open();
                                  return std::move(value);
                              }),
                trace);
    driver.turns(1);
    REQUIRE(gate->awaitArrivals(1));
    driver.reactor().getThreadPool().configure({.maxThreads = 1});
    traceResult(deferToThread(driver.reactor(), [] { return 2; }), trace);
    driver.destroyReactor();
    CHECK(trace == Trace{"CancelledError", "CancelledError"});
    gate->open();
    CHECK(left->pass());
    CHECK(becomes([&] { return value.use_count() == 1; }));
}

CONFORMANCE_CASE("S-148: a pool of one's own that ends fails what waits in it") {
    Reactor& reactor = driver.reactor();
    Trace trace;
    {
        ThreadPool pool({.maxWaiting = 1});
        traceResult(deferToThreadPool(reactor, pool, [] { return 1; }), trace);
        CHECK(trace.empty());
        traceResult(deferToThreadPool(reactor, pool, [] { return 2; }), trace);
        CHECK(trace == Trace{"ThreadPoolError"});
    }
    driver.runUntil([&] { return trace.size() == 2; });
    CHECK(trace.back() == "CancelledError");
}

CONFORMANCE_CASE("S-149: callMultipleInThread calls in order, on one thread, until one throws") {
    LogCapture log;
    Reactor& reactor = driver.reactor();
    std::vector<std::thread::id> threads;
    std::atomic<bool> done{false};
    const auto note = [&] { threads.push_back(std::this_thread::get_id()); };
    std::vector<Function<void()>> calls;
    calls.emplace_back(note);
    calls.emplace_back(note);
    calls.emplace_back([&] {
        done = true;
        throw Bug();
    });
    calls.emplace_back(note);
    callMultipleInThread(reactor, std::move(calls));
    reactor.callWhenRunning([&] { reactor.stop(); });
    runReactor(driver);
    CHECK(done);
    REQUIRE(threads.size() == 2);
    CHECK(threads[0] == threads[1]);
    CHECK(threads[0] != std::this_thread::get_id());
    CHECK(log.count("a bug in user code") == 1);
}
