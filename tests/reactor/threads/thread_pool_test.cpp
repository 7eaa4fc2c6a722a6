// A thread pool without a reactor. Worth running with a thread sanitizer.

#include "support/gate.hpp"
#include "support/log_capture.hpp"

#include <reactor/errors.hpp>
#include <reactor/thread_pool.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace torsion;
using namespace torsion::test;

TEST_CASE("I15 (S-147): calls given before the start begin with it, on no more threads than allowed") {
    ThreadPool pool({.maxThreads = 3});
    Gate gate;
    std::atomic<int> called{0};
    for (int i = 0; i < 10; ++i) {
        pool.callInThread([&] {
            gate.pass();
            ++called;
        });
    }
    CHECK(pool.stats().threads == 0);
    CHECK(pool.stats().waiting == 10);
    pool.start();
    REQUIRE(gate.awaitArrivals(3));
    CHECK(pool.stats().threads == 3);
    CHECK(pool.stats().working == 3);
    CHECK(pool.stats().waiting == 7);
    gate.open();
    pool.stop();
    CHECK(called == 10);
    CHECK(pool.stats().threads == 0);
}

TEST_CASE("S-147: one thread makes its calls in the order in which they were given") {
    ThreadPool pool({.maxThreads = 1});
    std::vector<int> order;
    pool.start();
    for (int i = 0; i < 100; ++i)
        pool.callInThread([&order, i] { order.push_back(i); });
    pool.stop();
    REQUIRE(order.size() == 100);
    for (int i = 0; i < 100; ++i)
        CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("S-147: the least number of threads begins with the start, and stays") {
    ThreadPool pool({.minThreads = 2, .maxThreads = 4, .idleTimeout = std::chrono::milliseconds(0)});
    pool.start();
    CHECK(pool.stats().threads == 2);
    Gate gate;
    for (int i = 0; i < 4; ++i)
        pool.callInThread([&] { gate.pass(); });
    REQUIRE(gate.awaitArrivals(4));
    CHECK(pool.stats().threads == 4);
    gate.open();
    CHECK(becomes([&] { return pool.stats().threads == 2; }));
    pool.stop();
    CHECK(pool.stats().threads == 0);
}

TEST_CASE("a thread that was without work for the time-out ends, and the next call gets a new one") {
    ThreadPool pool({.idleTimeout = std::chrono::milliseconds(0)});
    pool.start();
    std::atomic<int> called{0};
    for (int round = 1; round <= 3; ++round) {
        pool.callInThread([&] { ++called; });
        CHECK(becomes([&] { return called == round && pool.stats().threads == 0; }));
    }
}

TEST_CASE("S-147: what is given while the pool stops waits for the next start") {
    ThreadPool pool({.maxThreads = 1});
    std::vector<int> order;
    Gate gate;
    pool.start();
    pool.callInThread([&] {
        gate.pass();
        order.push_back(1);
        pool.callInThread([&] { order.push_back(3); });
    });
    pool.callInThread([&] { order.push_back(2); });
    REQUIRE(gate.awaitArrivals(1));
    Gate stopped;
    CHECK(pool.beginStop([&] { stopped.open(); }));
    gate.open();
    CHECK(stopped.pass());
    pool.join();
    CHECK(order == std::vector<int>{1, 2});
    CHECK(pool.stats().waiting == 1);
    pool.start();
    pool.stop();
    CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("a start takes back a stop that is under way") {
    ThreadPool pool;
    Gate gate;
    bool told = false;
    pool.start();
    pool.callInThread([&] { gate.pass(); });
    REQUIRE(gate.awaitArrivals(1));
    CHECK(pool.beginStop([&] { told = true; }));
    pool.start();
    std::atomic<bool> called{false};
    pool.callInThread([&] { called = true; });
    CHECK(becomes([&] { return called.load(); }));
    gate.open();
    pool.stop();
    CHECK_FALSE(told);
}

TEST_CASE("I13 (S-149): what a call throws is logged, and its thread goes on") {
    LogCapture log;
    ThreadPool pool({.maxThreads = 1});
    std::thread::id first;
    std::thread::id second;
    pool.start();
    pool.callInThread([&] {
        first = std::this_thread::get_id();
        throw std::runtime_error("a bug in a call");
    });
    pool.callInThread([&] { second = std::this_thread::get_id(); });
    pool.stop();
    CHECK(log.count("a bug in a call") == 1);
    CHECK(first == second);
    CHECK(first != std::thread::id());
}

TEST_CASE("I14 (S-149): onResult gets the value or the failure, on the thread of the call") {
    LogCapture log;
    ThreadPool pool({.maxThreads = 1});
    std::thread::id caller;
    std::thread::id hearer;
    int value = 0;
    Failure failure;
    pool.callInThreadWithCallback(
        [&](Result<int> result) {
            hearer = std::this_thread::get_id();
            value = *result;
        },
        [&](int a, int b) {
            caller = std::this_thread::get_id();
            return a + b;
        },
        40, 2);
    pool.callInThreadWithCallback([&](Result<void> result) { failure = result.failure(); },
                                  [] { throw std::runtime_error("no value"); });
    pool.callInThreadWithCallback([](Result<void>) { throw std::runtime_error("a bug in onResult"); }, [] {});
    pool.start();
    pool.stop();
    CHECK(value == 42);
    CHECK(caller == hearer);
    CHECK(failure.check<std::runtime_error>());
    CHECK(log.count("a bug in onResult") == 1);
}

TEST_CASE("arguments are moved to the thread, and may be moved only") {
    ThreadPool pool;
    std::string got;
    pool.callInThread([&](std::unique_ptr<std::string> text) { got = *text; }, std::make_unique<std::string>("moved"));
    pool.start();
    pool.stop();
    CHECK(got == "moved");
}

TEST_CASE("a call too many is refused, and the pool goes on") {
    ThreadPool pool({.maxWaiting = 2});
    int called = 0;
    pool.configure({.maxThreads = 1, .maxWaiting = 2});
    pool.callInThread([&] { ++called; });
    pool.callInThread([&] { ++called; });
    CHECK_THROWS_AS(pool.callInThread([&] { ++called; }), ThreadPoolError);
    pool.start();
    pool.stop();
    CHECK(called == 2);
}

TEST_CASE("limits that cannot be are refused, and others hold at once") {
    CHECK_THROWS_AS(ThreadPool({.maxThreads = 0}), std::invalid_argument);
    CHECK_THROWS_AS(ThreadPool({.minThreads = 3, .maxThreads = 2}), std::invalid_argument);
    CHECK_THROWS_AS(ThreadPool({.idleTimeout = std::chrono::milliseconds(-1)}), std::invalid_argument);
    CHECK_THROWS_AS(ThreadPool({.stopTimeout = std::chrono::milliseconds(-1)}), std::invalid_argument);
    ThreadPool pool({.maxThreads = 1});
    Gate gate;
    pool.start();
    pool.callInThread([&] { gate.pass(); });
    pool.callInThread([&] { gate.pass(); });
    REQUIRE(gate.awaitArrivals(1));
    CHECK(pool.stats().waiting == 1);
    pool.configure({.maxThreads = 2});
    REQUIRE(gate.awaitArrivals(2));
    pool.configure({.maxThreads = 1});
    CHECK(pool.options().maxThreads == 1);
    gate.open();
    CHECK(becomes([&] { return pool.stats().threads == 1; }));
    pool.stop();
}

TEST_CASE("a pool cannot be stopped by one of its own threads") {
    ThreadPool pool;
    bool refused = false;
    pool.start();
    pool.callInThread([&] {
        try {
            pool.stop();
        } catch (const std::logic_error&) {
            refused = true;
        }
    });
    pool.stop();
    CHECK(refused);
}

TEST_CASE("S-147: a stop waits its time for calls that do not end, then names them and goes on without") {
    LogCapture log;
    const auto gate = std::make_shared<Gate>();
    const auto waited = std::make_shared<int>();
    ThreadPool pool({.maxThreads = 2, .stopTimeout = std::chrono::milliseconds(0)});
    struct NeverEnds {
        std::shared_ptr<Gate> gate;
        void operator()() const { gate->pass(); }
    };
    pool.start();
    pool.callInThread(NeverEnds{gate});
    pool.callInThread(NeverEnds{gate});
    pool.callInThread([waited] { ++*waited; });
    REQUIRE(gate->awaitArrivals(2));
    std::string said;
    try {
        pool.stop();
    } catch (const ThreadPoolError& error) {
        said = error.what();
    }
    CHECK(said.find("while 2 of its calls ran") != std::string::npos);
    CHECK(said.find("NeverEnds") != std::string::npos);
    CHECK(said.find("1 that waited were dropped") != std::string::npos);
    CHECK(log.lines() == std::vector<std::string>{said});
    CHECK(waited.use_count() == 1);
    CHECK(pool.stats().threads == 0);
    CHECK(pool.stats().working == 0);
    CHECK_FALSE(pool.isBusy());

    // It works again, beside the threads that were left.
    pool.configure({.maxThreads = 1});
    pool.start();
    std::atomic<bool> called{false};
    pool.callInThread([&] { called = true; });
    pool.stop();
    CHECK(called);
    gate->open();
    CHECK(becomes([&] { return gate.use_count() == 1; }));
    CHECK(pool.stats().working == 0);
}

TEST_CASE("S-147: a stop whose time is over before the idle threads have ended waits for these, and is none in vain") {
    LogCapture log;
    for (int round = 0; round < 100; ++round) {
        ThreadPool pool({.minThreads = 4, .stopTimeout = std::chrono::milliseconds(0)});
        pool.start();
        CHECK_NOTHROW(pool.stop());
        CHECK(pool.stats().threads == 0);
    }
    CHECK(log.lines().empty());
}

TEST_CASE("a pool whose threads all wait for the reactor is not busy, also when more calls wait for a thread") {
    const auto gate = std::make_shared<Gate>();
    std::atomic<int> idle{0};
    ThreadPool pool({.maxThreads = 1});
    pool.onIdle([&] { ++idle; });
    pool.callInThread([gate] {
        const ThreadPool::Waiting waiting;
        gate->pass();
    });
    pool.callInThread([] {});
    CHECK_FALSE(pool.isBusy()); // nothing can begin yet
    pool.start();
    REQUIRE(gate->awaitArrivals(1));
    CHECK_FALSE(pool.isBusy());
    CHECK(idle == 1);
    gate->open();
    pool.stop();
    CHECK(idle > 1);
}

TEST_CASE("a thread that was left behind outlives its pool") {
    LogCapture log;
    const auto gate = std::make_shared<Gate>();
    {
        ThreadPool pool({.stopTimeout = std::chrono::milliseconds(0)});
        pool.start();
        pool.callInThread([gate] {
            gate->pass();
            const ThreadPool::Waiting waiting;
        });
        REQUIRE(gate->awaitArrivals(1));
        CHECK_THROWS_AS(pool.stop(), ThreadPoolError);
    }
    gate->open();
    CHECK(becomes([&] { return gate.use_count() == 1; }));
}

TEST_CASE("S-147: what was given while a stop went on in vain is called after the next start") {
    LogCapture log;
    const auto gate = std::make_shared<Gate>();
    ThreadPool pool({.maxThreads = 1});
    std::atomic<bool> called{false};
    pool.start();
    pool.callInThread([gate] { gate->pass(); });
    REQUIRE(gate->awaitArrivals(1));
    bool told = false;
    CHECK(pool.beginStop([&] { told = true; }));
    pool.callInThread([&] { called = true; });
    CHECK(pool.leaveBehind().find("0 that waited were dropped") != std::string::npos);
    CHECK(pool.leaveBehind().empty());
    CHECK(pool.stats().waiting == 1);
    pool.start();
    pool.stop();
    CHECK(called);
    CHECK_FALSE(told);
    gate->open();
    CHECK(becomes([&] { return gate.use_count() == 1; }));
}

TEST_CASE("the end of a pool drops what waits, and waits for nothing that runs") {
    auto gate = std::make_shared<Gate>();
    auto left = std::make_shared<Gate>();
    const auto held = std::make_shared<int>();
    {
        ThreadPool pool({.maxThreads = 1});
        pool.start();
        pool.callInThread([gate, left] {
            gate->pass();
            left->open();
        });
        REQUIRE(gate->awaitArrivals(1));
        pool.callInThread([held] { FAIL("called"); });
    }
    CHECK(held.use_count() == 1);
    gate->open();
    CHECK(left->pass());
}
