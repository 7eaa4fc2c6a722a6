#include <doctest/doctest.h>

#include <reactor/idle_timeout.hpp>
#include <reactor/testing/clock.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>

using namespace std::chrono_literals;
using torsion::Duration;
using torsion::IdleTimeout;
using torsion::testing::Clock;

TEST_CASE("an idle time-out comes when its period has passed, once") {
    Clock clock;
    int timeouts = 0;
    IdleTimeout idle(clock, [&] { ++timeouts; });
    clock.advance(1h);
    idle.set(10s);
    clock.advance(10s - 1ns);
    CHECK(timeouts == 0);
    CHECK(idle.active());
    clock.advance(1ns);
    CHECK(timeouts == 1);
    CHECK_FALSE(idle.active());
    idle.touch();
    clock.advance(1h);
    CHECK(timeouts == 1);
}

TEST_CASE("a touch puts an idle time-out off, by its period from then on") {
    Clock clock;
    int timeouts = 0;
    IdleTimeout idle(clock, [&] { ++timeouts; });
    idle.set(10s);
    clock.advance(7s);
    idle.touch();
    clock.advance(7s);
    idle.touch();
    clock.advance(10s - 1ns);
    CHECK(timeouts == 0);
    clock.advance(1ns);
    CHECK(timeouts == 1);
}

TEST_CASE("S-207: setting returns the previous period, and none switches the time-out off") {
    Clock clock;
    int timeouts = 0;
    IdleTimeout idle(clock, [&] { ++timeouts; });
    CHECK(idle.set(10s) == std::nullopt);
    CHECK(idle.set(std::nullopt) == Duration(10s));
    CHECK(clock.getDelayedCalls().empty());
    CHECK(idle.set(5s) == std::nullopt);
    clock.advance(5s);
    CHECK(timeouts == 1);
    CHECK(idle.set(7s) == Duration(5s));
    CHECK(idle.period() == Duration(7s));
}

TEST_CASE("setting an idle time-out begins to measure anew, longer or shorter than before") {
    Clock clock;
    int timeouts = 0;
    IdleTimeout idle(clock, [&] { ++timeouts; });
    idle.set(10s);
    clock.advance(9s);
    idle.set(20s);
    clock.advance(19s);
    CHECK(timeouts == 0);
    idle.set(2s);
    clock.advance(2s - 1ns);
    CHECK(timeouts == 0);
    clock.advance(1ns);
    CHECK(timeouts == 1);
    CHECK_THROWS_AS(idle.set(-1s), std::invalid_argument);
    CHECK(idle.period() == Duration(2s));
}

TEST_CASE("S-207: an idle time-out is off when it is destroyed") {
    Clock clock;
    int timeouts = 0;
    {
        IdleTimeout idle(clock, [&] { ++timeouts; });
        idle.set(1s);
    }
    CHECK(clock.getDelayedCalls().empty());
    clock.advance(2s);
    CHECK(timeouts == 0);
}

TEST_CASE("an idle time-out may be set again, or destroyed, inside its callback") {
    Clock clock;
    int timeouts = 0;
    std::unique_ptr<IdleTimeout> idle;
    const auto owned = std::make_shared<int>(0);
    idle = std::make_unique<IdleTimeout>(clock, [&, owned] {
        if (++timeouts < 3)
            idle->set(1s);
        else
            idle.reset();
    });
    idle->set(1s);
    clock.advance(10s);
    CHECK(timeouts == 3);
    CHECK(idle == nullptr);
    CHECK(owned.use_count() == 1);
}

TEST_CASE("an idle time-out never calls back inside its callback") {
    Clock clock;
    int timeouts = 0;
    std::unique_ptr<IdleTimeout> idle;
    idle = std::make_unique<IdleTimeout>(clock, [&] {
        if (++timeouts > 1)
            return;
        idle->set(1s);
        clock.advance(5s);
        CHECK(timeouts == 1);
    });
    idle->set(1s);
    clock.advance(1s);
    clock.advance(0s);
    CHECK(timeouts == 2);
}

TEST_CASE("a callback of an idle time-out that throws is called again after the next period") {
    Clock clock;
    int timeouts = 0;
    IdleTimeout idle(clock, [&] {
        ++timeouts;
        throw std::runtime_error("time-out");
    });
    idle.set(1s);
    CHECK_THROWS_WITH(clock.advance(1s), "time-out");
    idle.set(1s);
    CHECK_THROWS_WITH(clock.advance(1s), "time-out");
    CHECK(timeouts == 2);
}

TEST_CASE("a million touches do not touch the queue") {
    Clock clock;
    int timeouts = 0;
    IdleTimeout idle(clock, [&] { ++timeouts; });
    idle.set(10s);
    const auto before = clock.counters();
    clock.advance(9s);
    for (int i = 0; i < 1'000'000; ++i)
        idle.touch();
    idle.set(10s);
    CHECK(clock.counters().scheduled == before.scheduled);
    CHECK(clock.counters().moved == before.moved);
    CHECK(clock.counters().cancelled == before.cancelled);
    CHECK(clock.counters().called == before.called);
    clock.advance(9s);
    CHECK(clock.counters().scheduled == before.scheduled + 1); // looked once, at 10 s
    CHECK(timeouts == 0);
    clock.advance(1s);
    CHECK(timeouts == 1);
}
