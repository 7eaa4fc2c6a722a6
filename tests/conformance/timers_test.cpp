// Acceptance H1 to H19, H22 to H26: delayed calls on every reactor. The test clock is in tests/reactor/clock_test.cpp.

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "conformance/scene.hpp"
#include "support/log_capture.hpp"

#include <reactor/errors.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

using Names = std::vector<std::string>;

/// Notes who was called, and sees to it that nobody is called too early.
struct Journal {
    explicit Journal(Driver& theDriver) : driver(theDriver) {}

    DelayedCall after(Duration delay, const std::string& name) {
        auto call = std::make_shared<DelayedCall>();
        *call = driver.reactor().callLater(delay, [this, name, call] {
            CHECK(driver.reactor().now() >= call->getTime());
            names.push_back(name);
        });
        return *call;
    }
    void runUntil(std::size_t count) {
        driver.runUntil([&] { return names.size() >= count; });
    }

    Driver& driver;
    Names names;
};

} // namespace

CONFORMANCE_CASE("H1: a call is made with what it captured, once, and never early") {
    Journal journal(driver);
    const TimePoint before = driver.reactor().now();
    const DelayedCall call = journal.after(2ms, "called");
    CHECK(call.getTime() >= before + 2ms);
    journal.runUntil(1);
    driver.turns();
    CHECK(journal.names == Names{"called"});
}

CONFORMANCE_CASE("H2 (S-136): a call that is reset is made at the new time, counted from the reset") {
    Journal journal(driver);
    DelayedCall call = journal.after(1ms, "reset");
    journal.after(10ms, "other");
    call.reset(20ms);
    journal.runUntil(2);
    CHECK(journal.names == Names{"other", "reset"});
}

CONFORMANCE_CASE("H3: a cancelled call is never made") {
    Journal journal(driver);
    DelayedCall call = journal.after(1ms, "cancelled");
    journal.after(5ms, "other");
    call.cancel();
    journal.runUntil(1);
    driver.turns();
    CHECK(journal.names == Names{"other"});
}

CONFORMANCE_CASE("H4 (S-134): what was cancelled cannot be cancelled, reset or delayed") {
    DelayedCall call = driver.reactor().callLater(1s, [] {});
    call.cancel();
    CHECK_THROWS_AS(call.cancel(), AlreadyCancelled);
    CHECK_THROWS_AS(call.reset(1s), AlreadyCancelled);
    CHECK_THROWS_AS(call.delay(1s), AlreadyCancelled);
}

CONFORMANCE_CASE("H5 (S-134): a call that cancels itself hears AlreadyCalled") {
    bool called = false;
    DelayedCall call;
    call = driver.reactor().callLater(0s, [&] {
        CHECK_THROWS_AS(call.cancel(), AlreadyCalled);
        CHECK_FALSE(call.active());
        called = true;
    });
    driver.runUntil([&] { return called; });
}

CONFORMANCE_CASE("H6 (S-134): a call that was made cannot be cancelled, reset or delayed") {
    Journal journal(driver);
    DelayedCall call = journal.after(0s, "called");
    journal.runUntil(1);
    CHECK_THROWS_AS(call.cancel(), AlreadyCalled);
    CHECK_THROWS_AS(call.reset(1s), AlreadyCalled);
    CHECK_THROWS_AS(call.delay(1s), AlreadyCalled);
}

CONFORMANCE_CASE("H7: a call's time is on its reactor's clock") {
    const Clock& clock = driver.reactor();
    const TimePoint before = clock.now();
    DelayedCall call = driver.reactor().callLater(1h, [] {});
    CHECK(call.getTime() >= before + 1h);
    CHECK(call.getTime() <= clock.now() + 1h);
    call.reset(2h);
    CHECK(call.getTime() >= before + 2h);
    CHECK(call.getTime() <= clock.now() + 2h);
}

CONFORMANCE_CASE("H8 (S-138): pending calls are listed, cancelled and made ones are not") {
    Journal journal(driver);
    const DelayedCall late = journal.after(1h, "late");
    const DelayedCall made = journal.after(0s, "made");
    DelayedCall cancelled = journal.after(30min, "cancelled");
    CHECK(driver.reactor().getDelayedCalls() == std::vector{made, cancelled, late});
    cancelled.cancel();
    journal.runUntil(1);
    CHECK(driver.reactor().getDelayedCalls() == std::vector{late});
    CHECK(driver.reactor().stats().timers == 1);
}

CONFORMANCE_CASE("H9 (S-138): a call is active until it is made") {
    Journal journal(driver);
    const DelayedCall call = journal.after(0s, "called");
    CHECK(call.active());
    journal.runUntil(1);
    CHECK_FALSE(call.active());
}

CONFORMANCE_CASE("H10 (S-139): without calls the reactor waits for events alone") {
    CHECK_FALSE(nextCall(driver).has_value());
}

CONFORMANCE_CASE("H11 (S-139): with one call the reactor waits until that is due") {
    const DelayedCall call = driver.reactor().callLater(1h, [] {});
    CHECK(nextCall(driver) == call.getTime());
}

CONFORMANCE_CASE("H12 (S-139): with several calls the reactor waits for the earliest") {
    driver.reactor().callLater(3h, [] {});
    const DelayedCall earliest = driver.reactor().callLater(1h, [] {});
    driver.reactor().callLater(2h, [] {});
    CHECK(nextCall(driver) == earliest.getTime());
}

CONFORMANCE_CASE("H13 (S-136, S-139): a reset moves what the reactor waits for, either way") {
    DelayedCall call = driver.reactor().callLater(2h, [] {});
    for (const Duration delay : {Duration(1h), Duration(3h)}) {
        const TimePoint before = driver.reactor().now();
        call.reset(delay);
        CHECK(call.getTime() >= before + delay);
        CHECK(nextCall(driver) == call.getTime());
    }
}

CONFORMANCE_CASE("H14 (S-136, S-139): a delay adds to what the reactor waits for, and may be negative") {
    DelayedCall call = driver.reactor().callLater(2h, [] {});
    const TimePoint due = call.getTime();
    call.delay(1h);
    CHECK(nextCall(driver) == due + 1h);
    call.delay(-90min);
    CHECK(nextCall(driver) == due - 30min);
}

CONFORMANCE_CASE("H15 (S-139): when the only call is cancelled the reactor waits for events alone") {
    DelayedCall call = driver.reactor().callLater(1h, [] {});
    call.cancel();
    CHECK_FALSE(nextCall(driver).has_value());
}

CONFORMANCE_CASE("H16: a call that stops the reactor ends run()") {
    driver.reactor().callLater(1ms, [&] { driver.reactor().stop(); });
    runReactor(driver);
    CHECK_FALSE(driver.reactor().isRunning());
}

CONFORMANCE_CASE("H17 (S-139): calls in the far future disturb nothing") {
    Journal journal(driver);
    driver.reactor().callLater(std::chrono::hours(24 * 366 * 200), [] { FAIL("not for 200 years"); });
    driver.reactor().callLater(Duration::max(), [] { FAIL("not ever"); });
    Pair pair(driver);
    pair.clientTransport().write("hello");
    driver.runUntil([&] { return pair.server->received == "hello"; });
    journal.after(1ms, "soon");
    journal.runUntil(1);
}

CONFORMANCE_CASE("H18 (S-131): calls of the same time are made in the order in which they were scheduled") {
    constexpr int kCalls = 100;
    std::vector<int> order;
    std::vector<DelayedCall> calls;
    for (int i = 0; i < kCalls; ++i)
        calls.push_back(driver.reactor().callLater(1ms, [&order, i] { order.push_back(i); }));
    const TimePoint due = calls.back().getTime();
    for (DelayedCall& call : calls)
        call.delay(due - call.getTime()); // the clock may have moved between them
    driver.runUntil([&] { return order.size() == kCalls; });
    CHECK(std::is_sorted(order.begin(), order.end()));
}

CONFORMANCE_CASE("H18 (S-131): callLater without delay keeps the order too") {
    Journal journal(driver);
    for (const char* name : {"first", "second", "third"})
        journal.after(0s, name);
    journal.runUntil(3);
    CHECK(journal.names == Names{"first", "second", "third"});
}

CONFORMANCE_CASE("H19 (S-132): a call that schedules itself without delay runs once a turn, and I/O goes on") {
    std::vector<std::uint64_t> turns;
    std::function<void()> again = [&] {
        turns.push_back(driver.reactor().stats().turns);
        driver.reactor().callLater(0s, [&] { again(); });
    };
    again();
    Pair pair(driver);
    pair.server->onData = [&](std::string_view data) { pair.serverTransport().write(data); };
    pair.clientTransport().write("hello");
    driver.runUntil([&] { return pair.client->received == "hello"; });
    CHECK(turns.size() > 2);
    for (std::size_t i = 2; i < turns.size(); ++i)
        CHECK(turns[i] == turns[i - 1] + 1);
}

CONFORMANCE_CASE("H22 (S-136): a call that is delayed is made later accordingly") {
    Journal journal(driver);
    DelayedCall call = journal.after(1ms, "delayed");
    const TimePoint before = call.getTime();
    journal.after(10ms, "other");
    call.delay(2h);
    CHECK(call.getTime() == before + 2h);
    journal.runUntil(1);
    CHECK(journal.names == Names{"other"});
    CHECK(call.active());
}

CONFORMANCE_CASE("H22 (S-136): a call that is delayed into the past is made in the next turn") {
    Journal journal(driver);
    DelayedCall call = journal.after(1h, "called");
    call.delay(-2h);
    journal.runUntil(1);
}

CONFORMANCE_CASE("H23: a call that is reset to an earlier time is made earlier") {
    Journal journal(driver);
    DelayedCall call = journal.after(1h, "reset");
    const DelayedCall other = journal.after(1h, "other");
    call.reset(1ms);
    journal.runUntil(1);
    CHECK(journal.names == Names{"reset"});
    CHECK(other.active());
}

CONFORMANCE_CASE("H24 (S-142): after a reset new calls are ordered by their time all the same") {
    Journal journal(driver);
    const DelayedCall late = journal.after(3h, "late");
    DelayedCall call = journal.after(1ms, "reset");
    call.reset(2h);
    const DelayedCall added = journal.after(1h, "added");
    CHECK(driver.reactor().getDelayedCalls() == std::vector{added, call, late});
}

CONFORMANCE_CASE("H25 (S-142): a call may reset another, and the order is by time") {
    Journal journal(driver);
    DelayedCall call = journal.after(2h, "reset");
    const DelayedCall late = journal.after(1h, "late");
    driver.reactor().callLater(1ms, [&] { call.reset(10ms); });
    journal.runUntil(1);
    CHECK(journal.names == Names{"reset"});
    CHECK(late.active());
}

CONFORMANCE_CASE("S-70: what a call throws is logged, and the other calls of the turn are made") {
    const LogCapture log;
    Journal journal(driver);
    driver.reactor().callLater(0s, [] { throw Bug(); });
    journal.after(0s, "other");
    journal.runUntil(1);
    CHECK(log.count("a bug in user code") == 1);
}

CONFORMANCE_CASE("S-130: a negative delay, one that is no number, and a null call are refused") {
    Reactor& reactor = driver.reactor();
    CHECK_THROWS_AS(reactor.callLater(-1ns, [] {}), std::invalid_argument);
    CHECK_THROWS_AS(reactor.callLater(std::chrono::duration<double>(std::nan("")), [] {}), std::invalid_argument);
    CHECK_THROWS_AS(reactor.callLater(1s, Function<void()>()), std::invalid_argument);
    CHECK(reactor.getDelayedCalls().empty());
}

CONFORMANCE_CASE("S-133: now() stands still within a callback, and goes on between turns never back") {
    TimePoint first{};
    TimePoint second{};
    bool called = false;
    driver.reactor().callLater(0s, [&] {
        first = driver.reactor().now();
        CHECK(driver.reactor().now() == first);
        driver.reactor().callLater(1ms, [&] {
            second = driver.reactor().now();
            called = true;
        });
    });
    driver.runUntil([&] { return called; });
    CHECK(second >= first + 1ms);
}

CONFORMANCE_CASE("S-135: cancelling a call destroys what it captured at once") {
    const auto captured = std::make_shared<int>(1);
    DelayedCall call = driver.reactor().callLater(1h, [captured] {});
    CHECK(captured.use_count() == 2);
    call.cancel();
    CHECK(captured.use_count() == 1);
}

CONFORMANCE_CASE("S-140: a handle may outlive its reactor, which cancels what is pending") {
    const auto captured = std::make_shared<int>(1);
    DelayedCall call = driver.reactor().callLater(1h, [captured] {});
    driver.destroyReactor();
    CHECK(captured.use_count() == 1);
    CHECK_FALSE(call.active());
    CHECK_THROWS_AS(call.cancel(), AlreadyCancelled);
}
