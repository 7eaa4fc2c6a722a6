#include "support/deferred_result.hpp"

#include <reactor/errors.hpp>
#include <reactor/names.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

/// Looks up, lets a second pass, and gives what came of it.
std::string addressesOf(testing::MemoryReactor& reactor, std::string_view host, const ResolveOptions& options = {}) {
    Trace trace;
    Deferred<std::string> lookup =
        resolve(reactor, host, 80, options).addCallback([](const std::vector<Address>& addresses) {
            std::string all;
            for (const Address& each : addresses)
                all += each.toString() + " ";
            return all;
        });
    const Canceller canceller = lookup.canceller();
    traceResult(std::move(lookup), trace);
    reactor.advance(1s);
    const std::string result = trace.empty() ? "none" : trace.at(0);
    canceller.cancel(); // one that waits still would tell a trace that is gone
    return result;
}

} // namespace

TEST_CASE("I16: the addresses of a name come in order, with the port") {
    testing::MemoryReactor reactor;
    CHECK(addressesOf(reactor, "localhost") == "127.0.0.1:80 [::1]:80 ");
}

TEST_CASE("I17: a name without an address fails with DNSLookupError") {
    testing::MemoryReactor reactor;
    CHECK(addressesOf(reactor, "unknown") == "DNSLookupError");
}

TEST_CASE("I18: only addresses of the family that was asked for come; none is a DNSLookupError") {
    testing::MemoryReactor reactor;
    reactor.names().setAddresses("four", {"192.0.2.1"});
    CHECK(addressesOf(reactor, "localhost", {.family = AddressFamily::IPv6}) == "[::1]:80 ");
    CHECK(addressesOf(reactor, "four", {.family = AddressFamily::IPv6}) == "DNSLookupError");
    CHECK(addressesOf(reactor, "::1", {.family = AddressFamily::IPv4}) == "DNSLookupError");
    CHECK(reactor.names().queries().back().family == AddressFamily::IPv6); // asked for, and not picked afterwards
}

TEST_CASE("I19: a look-up slower than its time limit fails with DNSLookupError") {
    testing::MemoryReactor reactor;
    reactor.names().setSilent("silent");
    CHECK(addressesOf(reactor, "silent", {.timeout = 999ms}) == "DNSLookupError");
    CHECK(addressesOf(reactor, "silent", {.timeout = 1001ms}) == "none");
}

TEST_CASE("a numeric address is its own answer, at once, and nobody is asked") {
    testing::MemoryReactor reactor;
    CHECK(valueOf(resolve(reactor, "192.0.2.7", 80)) == std::vector<Address>{Address::ipv4("192.0.2.7", 80)});
    CHECK(valueOf(resolve(reactor, "::1", 0)) == std::vector<Address>{Address::ipv6("::1", 0)});
    CHECK(reactor.names().asked().empty());
}

TEST_CASE("cancelling abandons a look-up, its timer and all") {
    testing::MemoryReactor reactor;
    reactor.names().setSilent("silent");
    Trace trace;
    Deferred<std::vector<Address>> lookup = resolve(reactor, "silent", 80);
    const Canceller canceller = lookup.canceller();
    traceResult(std::move(lookup).addCallback([](const std::vector<Address>&) {}), trace);
    canceller.cancel();
    CHECK(trace == Trace{"CancelledError"});
    CHECK(reactor.getDelayedCalls().empty());
}

TEST_CASE("a look-up under way when the reactor is destroyed fails with CancelledError") {
    Trace trace;
    {
        testing::MemoryReactor reactor;
        reactor.names().setSilent("silent");
        traceResult(getHostByName(reactor, "silent").addCallback([](const Address&) {}), trace);
    }
    CHECK(trace == Trace{"CancelledError"});
}

TEST_CASE("getHostByName gives the first IPv4 address, unless told otherwise") {
    testing::MemoryReactor reactor;
    reactor.names().setAddresses("both", {"2001:db8::1", "192.0.2.1", "192.0.2.2"});
    std::vector<std::string> found;
    const auto note = [&](const Address& address) { found.push_back(address.host()); };
    getHostByName(reactor, "both").addCallback(note).detach();
    getHostByName(reactor, "both", {.family = AddressFamily::Any}).addCallback(note).detach();
    reactor.settle();
    CHECK(found == std::vector<std::string>{"192.0.2.1", "2001:db8::1"});
}

TEST_CASE("what can never be looked up is refused") {
    testing::MemoryReactor reactor;
    CHECK_THROWS_AS(resolve(reactor, "", 80).detach(), std::invalid_argument);
    CHECK_THROWS_AS(resolve(reactor, "host", 65536).detach(), std::invalid_argument);
    CHECK_THROWS_AS(resolve(reactor, "host", 80, {.timeout = -1ms}).detach(), std::invalid_argument);
}
