#include <doctest/doctest.h>

#include <reactor/clock.hpp>
#include <reactor/errors.hpp>
#include <reactor/testing/clock.hpp>

#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <ratio>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using torsion::AlreadyCalled;
using torsion::AlreadyCancelled;
using torsion::DelayedCall;
using torsion::Duration;
using torsion::ScopedCall;
using torsion::TimePoint;
using torsion::toDuration;
using torsion::testing::Clock;

namespace {

TimePoint at(Duration sinceStart) {
    return TimePoint() + sinceStart;
}

/// Writes down who was called, and when.
struct Journal {
    explicit Journal(Clock& theClock) : clock(theClock) {}

    auto entry(std::string name) {
        return [this, name = std::move(name)] {
            names += name;
            times.push_back(clock.now());
        };
    }

    Clock& clock;
    std::string names;
    std::vector<TimePoint> times;
};

} // namespace

TEST_CASE("a moment in the far future stays there whatever is added") {
    CHECK(TimePoint::max() + 1ns == TimePoint::max());
    CHECK(at(1s) + Duration::max() == TimePoint::max());
    CHECK(TimePoint::min() - 1ns == TimePoint::min());
    CHECK(at(-1s) + Duration::min() == TimePoint::min());
    CHECK(at(-2s) - Duration::max() == TimePoint::min());
    CHECK(at(2s) - Duration::min() == TimePoint::max());
    CHECK(TimePoint::max() - TimePoint::min() == Duration::max());
    CHECK(TimePoint::min() - TimePoint::max() == Duration::min());
    CHECK(at(3s) - at(1s) == 2s);
    CHECK(at(1s) < at(2s));
}

TEST_CASE("any chrono duration becomes nanoseconds, the longest that there is when it is too long") {
    CHECK(toDuration(std::chrono::hours(1)) == 3600s);
    CHECK(toDuration(std::chrono::hours::max()) == Duration::max());
    CHECK(toDuration(std::chrono::hours::min()) == Duration::min());
    CHECK(toDuration(std::chrono::years(1000)) == Duration::max());
    CHECK(toDuration(std::chrono::duration<std::uint64_t>(std::numeric_limits<std::uint64_t>::max())) ==
          Duration::max());
    CHECK(toDuration(std::chrono::duration<double>(0.25)) == 250ms);
    CHECK(toDuration(std::chrono::duration<double>(-0.25)) == -250ms);
    CHECK(toDuration(std::chrono::duration<double>(1e300)) == Duration::max());
    CHECK(toDuration(std::chrono::duration<double>(-1e300)) == Duration::min());
    CHECK(toDuration(std::chrono::duration<double>(std::numeric_limits<double>::infinity())) == Duration::max());
    CHECK(toDuration(std::chrono::duration<int, std::pico>(1001)) == 2ns);
    CHECK(toDuration(std::chrono::duration<std::int64_t, std::ratio<1, 3>>(3)) == 1s);
    CHECK_THROWS_AS(toDuration(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())),
                    std::invalid_argument);
}

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

TEST_CASE("H3, H4, S-134: a cancelled call is never made, and cannot be cancelled, reset or delayed again") {
    Clock clock;
    Journal journal(clock);
    DelayedCall call = clock.callLater(1s, journal.entry("a"));
    call.cancel();
    CHECK_FALSE(call.active());
    CHECK_THROWS_AS(call.cancel(), AlreadyCancelled);
    CHECK_THROWS_AS(call.reset(1s), AlreadyCancelled);
    CHECK_THROWS_AS(call.delay(1s), AlreadyCancelled);
    clock.advance(2s);
    CHECK(journal.names.empty());
}

TEST_CASE("H5, H6, H9, H21, S-134: a call counts as called from the moment it is made") {
    Clock clock;
    std::optional<DelayedCall> call;
    bool called = false;
    call = clock.callLater(1s, [&] {
        called = true;
        CHECK_FALSE(call->active());
        CHECK_THROWS_AS(call->cancel(), AlreadyCalled);
        CHECK_THROWS_AS(call->reset(1s), AlreadyCalled);
    });
    CHECK(call->active());
    clock.advance(1s);
    CHECK(called);
    CHECK_FALSE(call->active());
    CHECK(call->getTime() == at(1s));
    CHECK_THROWS_AS(call->cancel(), AlreadyCalled);
    CHECK_THROWS_AS(call->delay(1s), AlreadyCalled);
}

TEST_CASE("a handle that names no call is not active and cannot be cancelled") {
    DelayedCall none;
    CHECK_FALSE(none.active());
    CHECK(none.getTime() == TimePoint::max());
    CHECK(none == DelayedCall());
    CHECK_THROWS_AS(none.cancel(), AlreadyCancelled);
    CHECK_THROWS_AS(none.reset(1s), AlreadyCancelled);
}

TEST_CASE("S-135: cancelling destroys the callable at once, calling does so when the call has returned") {
    Clock clock;
    auto owned = std::make_shared<int>(1);
    DelayedCall cancelled = clock.callLater(1s, [owned] {});
    DelayedCall called = clock.callLater(1s, [owned] {});
    CHECK(owned.use_count() == 3);
    cancelled.cancel();
    CHECK(owned.use_count() == 2);
    clock.advance(1s);
    CHECK(owned.use_count() == 1);
    CHECK_FALSE(called.active());
}

TEST_CASE("copies of a handle name the same call") {
    Clock clock;
    const DelayedCall call = clock.callLater(1s, [] {});
    DelayedCall copy = call;
    CHECK(copy == call);
    copy.cancel();
    CHECK_FALSE(call.active());
}

TEST_CASE("a handle may be used when its clock is gone: what was pending is cancelled") {
    std::optional<Clock> clock(std::in_place);
    auto owned = std::make_shared<int>(1);
    DelayedCall pending = clock->callLater(1s, [owned] {});
    DelayedCall called = clock->callLater(0s, [] {});
    ScopedCall scoped = clock->callLater(1s, [owned] {});
    clock->advance(0s);
    clock.reset();
    CHECK(owned.use_count() == 1);
    CHECK_FALSE(pending.active());
    CHECK(pending.getTime() == at(1s));
    CHECK_THROWS_AS(pending.cancel(), AlreadyCancelled);
    CHECK_THROWS_AS(pending.reset(1s), AlreadyCancelled);
    CHECK_THROWS_AS(called.cancel(), AlreadyCalled);
    scoped.cancel();
    CHECK_FALSE(scoped.active());
}

TEST_CASE("a scoped call is cancelled when it is destroyed, replaced or asked to") {
    Clock clock;
    Journal journal(clock);
    { const ScopedCall destroyed = clock.callLater(1s, journal.entry("destroyed")); }
    ScopedCall call = clock.callLater(1s, journal.entry("replaced"));
    call = clock.callLater(1s, journal.entry("asked"));
    CHECK(clock.getDelayedCalls().size() == 1);
    call.cancel();
    call.cancel();
    CHECK(clock.getDelayedCalls().empty());
    call = clock.callLater(1s, journal.entry("a"));
    ScopedCall moved = std::move(call);
    CHECK(moved.active());
    ScopedCall released = clock.callLater(1s, journal.entry("b"));
    CHECK(released.release().active());
    released = ScopedCall();
    clock.advance(1s);
    CHECK(journal.names == "ab");
}

TEST_CASE("a scoped call may be destroyed or replaced inside itself") {
    Clock clock;
    Journal journal(clock);
    auto call = std::make_unique<ScopedCall>();
    *call = clock.callLater(1s, [&] {
        *call = clock.callLater(1s, [&] {
            call.reset();
            journal.entry("b")();
        });
        journal.entry("a")();
    });
    clock.advance(3s);
    CHECK(journal.names == "ab");
    CHECK(call == nullptr);
}

TEST_CASE("a callable that owns its own scoped call can be cancelled") {
    Clock clock;
    auto call = std::make_shared<ScopedCall>();
    *call = clock.callLater(1s, [call] {});
    ScopedCall& reference = *call;
    call.reset();
    reference.cancel();
    CHECK(clock.getDelayedCalls().empty());
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
