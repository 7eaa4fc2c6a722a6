// A host that has nothing to do does nothing, and one that waits for a call comes in time. On a real clock, in the
// suite "long".

#include "embedding/suite.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <optional>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// How often this thread has waited.
long waits() {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

} // namespace

TEST_SUITE("long") {
    HOST_CASE("two idle seconds with a port, a connection and a timer: no dispatch, and the host sleeps through them") {
        const HostPair pair(scene);
        reactor.callLater(60s, [] {});
        scene.settle();
        bool over = false;
        host.after(2000ms, [&] { over = true; });
        const std::uint64_t dispatches = scene.dispatches();
        const long before = waits();
        scene.until([&] { return over; });
        CHECK(scene.dispatches() == dispatches + (host.dispatchesEachTurn() ? 1 : 0));
        CHECK(waits() - before < 10 + 3 * host.idleWakeUps());
    }

    // A timer with a leeway (sd-event's is 250 ms) makes all calls but the first late by most of it. One that comes in
    // time can be chance; a busy machine makes some late.
    ADAPTER_CASE("H14: the host's timer is precise: of twenty timed calls, two that follow each other come in time") {
        using Clock = std::chrono::steady_clock;
        constexpr int kCalls = 20;
        int inTime = 0;
        for (int i = 0; i < kCalls && inTime < 2; ++i) {
            std::optional<Clock::time_point> called;
            const Clock::time_point due = Clock::now() + 7ms;
            reactor.callLater(7ms, [&] { called = Clock::now(); });
            scene.until([&] { return called.has_value(); });
            inTime = *called - due < 50ms ? inTime + 1 : 0;
        }
        CHECK(inTime == 2);
    }
}
