#include <doctest/doctest.h>

#include <reactor/clock.hpp>
#include <reactor/clock_support.hpp>
#include <reactor/testing/clock.hpp>

#include <chrono>
#include <limits>
#include <stdexcept>
#include <vector>

using namespace std::chrono_literals;
using torsion::DelayedCall;
using torsion::TimePoint;
using torsion::test::at;
using torsion::test::Journal;
using torsion::testing::Clock;

TEST_CASE("H1: a call is made once, at its time") {
    Clock clock;
    Journal journal(clock);
    clock.callLater(1s, journal.entry("a"));
    CHECK(journal.names.empty());
    clock.advance(10s);
    CHECK(journal.names == "a");
    CHECK(journal.times.at(0) == at(1s));
    CHECK(clock.now() == at(10s));
}

TEST_CASE("S-130: a negative delay, one that is not a number, and a null call are refused") {
    Clock clock;
    const auto nothing = [] {};
    CHECK_THROWS_AS(clock.callLater(-1ns, nothing), std::invalid_argument);
    CHECK_THROWS_AS(clock.callLater(std::chrono::duration<double>(-0.5), nothing), std::invalid_argument);
    const std::chrono::duration<double> notANumber(std::numeric_limits<double>::quiet_NaN());
    CHECK_THROWS_AS(clock.callLater(notANumber, nothing), std::invalid_argument);
    CHECK_THROWS_AS(clock.callLater(1s, torsion::Function<void()>()), std::invalid_argument);
    DelayedCall call = clock.callLater(1s, nothing);
    CHECK_THROWS_AS(call.reset(-1s), std::invalid_argument);
    CHECK(call.getTime() == at(1s));
    CHECK(clock.getDelayedCalls().size() == 1);
}

TEST_CASE("H17: a call in the far future disturbs nothing") {
    Clock clock;
    Journal journal(clock);
    DelayedCall distant = clock.callLater(std::chrono::hours::max(), journal.entry("never"));
    clock.callLater(1s, journal.entry("a"));
    clock.advance(std::chrono::years(100));
    CHECK(journal.names == "a");
    CHECK(distant.active());
    CHECK(distant.getTime() == TimePoint::max());
}

TEST_CASE("H2, H13, S-136: reset counts from now, sooner or later") {
    Clock clock;
    Journal journal(clock);
    DelayedCall later = clock.callLater(2s, journal.entry("l"));
    DelayedCall sooner = clock.callLater(9s, journal.entry("s"));
    clock.advance(1s);
    later.reset(5s);
    sooner.reset(3s);
    CHECK(later.getTime() == at(6s));
    CHECK(sooner.getTime() == at(4s));
    clock.advance(10s);
    CHECK(journal.names == "sl");
    CHECK(journal.times == std::vector{at(4s), at(6s)});
}

TEST_CASE("H14, H22, S-136: delay adds to the time of the call, and may be negative") {
    Clock clock;
    Journal journal(clock);
    DelayedCall call = clock.callLater(1s, journal.entry("a"));
    DelayedCall overdue = clock.callLater(5s, journal.entry("b"));
    clock.advance(500ms);
    call.delay(2s);
    CHECK(call.getTime() == at(3s));
    overdue.delay(-1h);
    CHECK(overdue.getTime() == at(5s - 1h));
    clock.advance(0s);
    CHECK(journal.names == "b");
    clock.advance(2499ms);
    CHECK(journal.names == "b");
    clock.advance(1ms);
    CHECK(journal.names == "ba");
}

TEST_CASE("H8, H26, S-138: pending calls are listed, in their order") {
    Clock clock;
    const DelayedCall second = clock.callLater(2s, [] {});
    const DelayedCall first = clock.callLater(1s, [] {});
    DelayedCall cancelled = clock.callLater(3s, [] {});
    const DelayedCall third = clock.callLater(2s, [] {});
    clock.callLater(0s, [] {});
    clock.advance(0s);
    cancelled.cancel();
    CHECK(clock.getDelayedCalls() == std::vector{first, second, third});
}

TEST_CASE("H18, S-131: calls of the same time are made in the order in which they were scheduled") {
    Clock clock;
    Journal journal(clock);
    for (const char* name : {"0", "1", "2", "3", "4", "5", "6", "7"})
        clock.callLater(1s, journal.entry(name));
    clock.callLater(0s, journal.entry("a"));
    clock.callLater(0s, journal.entry("b"));
    clock.advance(1s);
    CHECK(journal.names == "ab01234567");
}

TEST_CASE("H20: a call waits for several advances that add up to its time") {
    Clock clock;
    Journal journal(clock);
    clock.callLater(1s, journal.entry("a"));
    clock.advance(500ms);
    CHECK(journal.names.empty());
    clock.advance(500ms);
    CHECK(journal.names == "a");
}

TEST_CASE("H23: a call that was reset to an earlier time is made then") {
    Clock clock;
    Journal journal(clock);
    DelayedCall call = clock.callLater(4s, journal.entry("a"));
    call.reset(3s);
    clock.advance(3s);
    CHECK(journal.names == "a");
}

TEST_CASE("H24, S-142: the order is by time when a call was reset before others were added") {
    Clock clock;
    Journal journal(clock);
    DelayedCall call = clock.callLater(1s, journal.entry("1"));
    clock.callLater(2s, journal.entry("2"));
    call.reset(3s);
    clock.callLater(2500ms, journal.entry("n"));
    clock.advance(5s);
    CHECK(journal.names == "2n1");
}

TEST_CASE("H25, S-142: the order is by time when a call resets another") {
    Clock clock;
    Journal journal(clock);
    DelayedCall reset = clock.callLater(3s, journal.entry("r"));
    clock.callLater(1s, [&] {
        journal.entry("a")();
        reset.reset(1500ms);
    });
    clock.callLater(2s, journal.entry("b"));
    clock.callLater(2600ms, journal.entry("c"));
    clock.advance(5s);
    CHECK(journal.names == "abrc");
}

TEST_CASE("S-141: every call sees its own time, also one that another scheduled on the way") {
    Clock clock;
    Journal journal(clock);
    clock.callLater(500ms, [&] {
        journal.entry("a")();
        clock.callLater(500ms, journal.entry("b"));
    });
    clock.callLater(2s, journal.entry("c"));
    clock.advance(2s);
    CHECK(journal.names == "abc");
    CHECK(journal.times == std::vector{at(500ms), at(1s), at(2s)});
}

TEST_CASE("S-141: when calls throw the others are made, and the first exception is thrown again") {
    Clock clock;
    Journal journal(clock);
    clock.callLater(1s, [] { throw std::runtime_error("first"); });
    clock.callLater(1s, journal.entry("a"));
    clock.callLater(3s, journal.entry("b"));
    CHECK_THROWS_WITH_AS(clock.advance(2s), "first", std::runtime_error);
    CHECK(journal.names == "a");
    CHECK(clock.now() == at(2s));
    clock.callLater(0s, [] { throw std::runtime_error("second"); });
    CHECK_THROWS_WITH_AS(clock.pump({0s, 1s}), "second", std::runtime_error);
    CHECK(journal.names == "ab");
}

TEST_CASE("S-132: a call that schedules itself without delay runs once a step, and no advance is endless") {
    Clock clock;
    int runs = 0;
    torsion::Function<void()> again;
    again = [&] {
        ++runs;
        clock.callLater(0s, [&] { again(); });
    };
    clock.callLater(0s, [&] { again(); });
    clock.advance(0s);
    CHECK(runs == 1);
    clock.advance(0s);
    CHECK(runs == 2);
    clock.advance(1s); // one turn now, one at the end
    CHECK(runs == 4);
    clock.callLater(500ms, [] {});
    clock.advance(1s);
    CHECK(runs == 7);
    clock.pump({0s, 0s, 0s});
    CHECK(runs == 10);
}

TEST_CASE("S-132: what a call schedules without delay comes after all that was due with it") {
    Clock clock;
    Journal journal(clock);
    clock.callLater(1s, [&] {
        journal.entry("a")();
        clock.callLater(0s, journal.entry("z"));
    });
    clock.callLater(1s, journal.entry("b"));
    clock.advance(1s);
    CHECK(journal.names == "ab");
    clock.advance(0s);
    CHECK(journal.names == "abz");
}

TEST_CASE("an advance inside a call goes on from there, and the outer one ends where it should") {
    Clock clock;
    Journal journal(clock);
    clock.callLater(1s, [&] {
        clock.advance(2s);
        journal.entry("a")();
    });
    clock.callLater(1s, journal.entry("b"));
    clock.callLater(2s, journal.entry("c"));
    clock.advance(5s);
    CHECK(journal.names == "bca");
    CHECK(journal.times == std::vector{at(1s), at(2s), at(3s)});
    CHECK(clock.now() == at(5s));
}

TEST_CASE("the test clock refuses to go back") {
    Clock clock;
    clock.advanceTo(at(2s));
    CHECK_THROWS_AS(clock.advance(-1s), std::invalid_argument);
    CHECK_THROWS_AS(clock.advanceTo(at(1s)), std::invalid_argument);
    CHECK_THROWS_AS(clock.pump({1s, -1s}), std::invalid_argument);
    CHECK(clock.now() == at(2s));
}

TEST_CASE("S-140: the date may be set back, and no call notices") {
    Clock clock;
    Journal journal(clock);
    clock.callLater(2s, journal.entry("a"));
    const auto date = clock.wall();
    clock.advance(1s);
    CHECK(clock.wall() == date + 1s);
    clock.setWall(date - 1h);
    CHECK(clock.wall() == date - 1h);
    clock.advance(1s);
    CHECK(clock.wall() == date - 1h + 1s);
    CHECK(journal.names == "a");
}
