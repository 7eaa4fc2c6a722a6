// How a connector gets to a connection: look-up, addresses, time-out, options.

#include <reactor/connector.hpp>
#include <reactor/connector_core_support.hpp>
#include <reactor/errors.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;
using Trace = std::vector<std::string>;

TEST_CASE_FIXTURE(ConnectorFixture, "a numeric host is not looked up") {
    connect("::1");
    CHECK(reactor.queryCount() == 0);
    CHECK(reactor.attempts[0].address == Address::ipv6("::1", 80));
}

TEST_CASE("a destination is printed with brackets where it is an IPv6 address") {
    CHECK(Destination{"example.org", 80}.toString() == "example.org:80");
    CHECK(Destination{"::1", 80}.toString() == "[::1]:80");
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-102: one time-out covers look-up and connecting, and is told once") {
    connect("example.org", {.timeout = 1000ms});
    reactor.advance(900ms);
    reactor.query(0).answer({Address::ipv4("192.0.2.1", 80)});
    reactor.advance(99ms);
    CHECK(take() == Trace{"start", "started"});
    reactor.advance(1ms);
    CHECK(take() == Trace{"failed TimeoutError", "stop"});
    CHECK(factory->lastReason.getErrorMessage() == "connecting to example.org:80: no connection after 1000 ms");
    CHECK_FALSE(reactor.attempts[0].pending());
    reactor.advance(1h);
    CHECK(take().empty());
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-102: a look-up that takes too long is abandoned") {
    connect("example.org", {.timeout = 1000ms});
    reactor.advance(1s);
    CHECK(take() == Trace{"start", "started", "failed TimeoutError", "stop"});
    CHECK_FALSE(reactor.query(0).pending());
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-102: the timer is gone once connected, and there is none without a time-out") {
    connect();
    CHECK(reactor.turn().nextEvent() == reactor.now() + 30s);
    reactor.attempts[0].succeed();
    CHECK(reactor.turn().nextEvent() == std::nullopt);
    connect("192.0.2.1", {.timeout = std::nullopt});
    CHECK(reactor.turn().nextEvent() == std::nullopt);
    CHECK_THROWS_AS(connect("192.0.2.1", {.timeout = -1ms}), std::invalid_argument);
    CHECK_THROWS_AS(connect("192.0.2.1", {.attemptDelay = -1ms}), std::invalid_argument);
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-105: a name without addresses fails with what the resolver says") {
    connect("nowhere.invalid");
    reactor.query(0).answer({}, Failure::of<DNSLookupError>("looking up nowhere.invalid: unknown"));
    reactor.step();
    CHECK(take() == Trace{"start", "started", "failed DNSLookupError", "stop"});
    CHECK(factory->lastReason.getErrorMessage() == "looking up nowhere.invalid: unknown");
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-105: all addresses of a name are tried, families in turn") {
    connect("example.org", {.attemptDelay = 100ms});
    reactor.query(0).answer(
        {Address::ipv6("2001:db8::1", 80), Address::ipv6("2001:db8::2", 80), Address::ipv4("192.0.2.1", 80)});
    reactor.attempts[0].fail(getConnectError(ENETUNREACH));
    REQUIRE(reactor.attempts.size() == 2);
    CHECK(reactor.attempts[1].address == Address::ipv4("192.0.2.1", 80));
    reactor.advance(100ms);
    REQUIRE(reactor.attempts.size() == 3);
    reactor.attempts[2].succeed();
    CHECK(take() == Trace{"start", "started", "build [2001:db8::2]:80", "made"});
}

TEST_CASE_FIXTURE(ConnectorFixture, "a local port without a host is bound on the attempt's own family") {
    connect("example.org", {.bindPort = 4000});
    reactor.query(0).answer({Address::ipv6("2001:db8::1", 80), Address::ipv4("192.0.2.1", 80)});
    reactor.attempts[0].fail(getConnectError(ENETUNREACH));
    CHECK(reactor.attempts[0].local == Address::ipv6("::", 4000));
    CHECK(reactor.attempts[1].local == Address::ipv4("0.0.0.0", 4000));
}

TEST_CASE_FIXTURE(ConnectorFixture, "only addresses of the local address's family are tried") {
    connect("example.org", {.bindHost = "192.0.2.9"});
    reactor.query(0).answer({Address::ipv6("2001:db8::1", 80), Address::ipv4("192.0.2.1", 80)});
    CHECK(reactor.attempts[0].address == Address::ipv4("192.0.2.1", 80));
    CHECK(reactor.attempts[0].local == Address::ipv4("192.0.2.9", 0));

    connect("::1", {.bindHost = "192.0.2.9"});
    reactor.step();
    CHECK(take().back() == "failed ConnectBindError");
    CHECK(factory->lastReason.getErrorMessage() == "connecting to [::1]:80: no address of the family of 192.0.2.9");
    CHECK_THROWS_AS(connect("::1", {.bindHost = "nonsense"}), InvalidAddressError);
}

TEST_CASE_FIXTURE(ConnectorFixture, "an attempt may be given up in configureSocket") {
    std::weak_ptr<Connector> weak;
    factory->onStarted = [&weak](const auto& connector) { weak = connector; };
    const auto giveUp = [&weak](int) { weak.lock()->stopConnecting(); };
    connect("192.0.2.1", {.configureSocket = giveUp});
    reactor.step();
    CHECK(take() == Trace{"start", "started", "failed UserError", "stop"});
    CHECK_FALSE(reactor.attempts[0].pending());
}
