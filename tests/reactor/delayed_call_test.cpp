// The handles of calls: DelayedCall and ScopedCall.

#include <doctest/doctest.h>

#include <reactor/clock.hpp>
#include <reactor/clock_support.hpp>
#include <reactor/errors.hpp>
#include <reactor/testing/clock.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

using namespace std::chrono_literals;
using torsion::AlreadyCalled;
using torsion::AlreadyCancelled;
using torsion::DelayedCall;
using torsion::ScopedCall;
using torsion::TimePoint;
using torsion::test::at;
using torsion::test::Journal;
using torsion::testing::Clock;

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
