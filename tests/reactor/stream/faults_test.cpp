// Streams whose operations fail, one after the other.

#include <reactor/listening_port.hpp>
#include <reactor/stream.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include "stream_talk.hpp"
#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <cerrno>
#include <cstdint>
#include <string>

using namespace torsion;
using namespace torsion::test;
using testing::Operation;

namespace {

/// An exchange during which the n-th operation fails. @returns whether there were as many.
bool failsAt(Operation operation, std::uint64_t n, const std::string& data) {
    const LogCapture log; // who is let go of by a coroutine that fails is logged
    testing::MemoryReactor reactor;
    reactor.network().setLimits({.capacity = 8192, .maxReceive = 5000});
    const auto port = serveStreams(reactor, 0, echo);
    reactor.faults().failNth(operation, n, ECONNRESET);
    Deferred<std::string> all = exchange(reactor, port->getHost().port(), data);
    REQUIRE(reactor.runUntil([&] { return all.hasResult(); }));
    REQUIRE(reactor.runUntil([&] { return reactor.stats().connections == 0; }));
    const bool through = reactor.faults().isWaiting(operation);
    const std::string came = resultOf(std::move(all));
    CHECK((came == data || !through));
    return !through;
}

} // namespace

TEST_CASE("whether connecting, accepting or receiving fails, all who await are told, and nothing stays open") {
    const std::string data(100'000, 'x');
    // Not Send: of a connection that broke the kernel tells those who read, too, which the injected fault does not.
    for (const Operation operation : {Operation::Connect, Operation::Accept, Operation::Receive}) {
        CAPTURE(static_cast<int>(operation));
        std::uint64_t n = 1;
        while (n < 10'000 && failsAt(operation, n, data))
            ++n;
        CHECK(n > 1);
        CHECK(n < 10'000);
    }
}
