// A host that has nothing to do does nothing. On a real clock: in the suite "long".

#include "embedding/suite.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>

#include <cstdint>

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
}
