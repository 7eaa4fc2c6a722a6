// A connector that its user drops, and one whose reactor ends.

#include <reactor/connector.hpp>
#include <reactor/connector_core_support.hpp>
#include <reactor/errors.hpp>

#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;
using Trace = std::vector<std::string>;
using State = Connector::State;

TEST_CASE_FIXTURE(ConnectorFixture, "a dropped connector goes on, and is gone when it is done") {
    std::weak_ptr<Connector> weak = connect();
    REQUIRE_FALSE(weak.expired());
    reactor.attempts[0].succeed();
    weak.lock()->transport().abortConnection();
    CHECK_FALSE(weak.expired());
    reactor.step();
    CHECK(take().back() == "stop");
    CHECK(weak.expired());
    CHECK(factory.use_count() == 1);
}

TEST_CASE_FIXTURE(ConnectorFixture, "a pending attempt is listed, and its connection in its place") {
    connect("example.org");
    REQUIRE(reactor.endpoints().size() == 1);
    CHECK(reactor.endpoints()[0].state == "connecting");
    CHECK(reactor.endpoints()[0].name.ends_with("example.org:80"));
    reactor.query(0).answer({Address::ipv4("192.0.2.1", 80)});
    reactor.attempts[0].succeed();
    REQUIRE(reactor.endpoints().size() == 1);
    CHECK(reactor.endpoints()[0].state == "open");
}

TEST_CASE_FIXTURE(ConnectorFixture, "a stopped reactor cancels what is connecting, without waiting for look-ups") {
    connect("example.org");
    connect("192.0.2.1");
    reactor.callWhenRunning([this] { reactor.stop(); });
    reactor.run();
    CHECK(take() == Trace{"start", "started", "started", "failed CancelledError", "failed CancelledError", "stop"});
    CHECK_FALSE(reactor.query(0).pending());
}

TEST_CASE_FIXTURE(ConnectorFixture, "a draining reactor cancels what is connecting") {
    connect();
    reactor.callWhenRunning([this] { reactor.stop({.drain = 10s}); });
    reactor.run();
    CHECK(take() == Trace{"start", "started", "failed CancelledError", "stop"});
}

TEST_CASE_FIXTURE(ConnectorFixture,
                  "a destroyed reactor cancels what is connecting, and a kept connector outlives it") {
    const auto pending = connect("example.org");
    const auto connected = connect();
    reactor.attempts[0].succeed();
    take();
    made.reset();
    CHECK(take() == Trace{"failed CancelledError", "protocol lost ConnectionLost", "lost ConnectionLost", "stop"});
    CHECK(pending->state() == State::Disconnected);
    CHECK(connected->state() == State::Disconnected);
}

TEST_CASE_FIXTURE(ConnectorFixture, "a factory that connects again whenever it fails does not outlast its reactor") {
    LogCapture log;
    factory->onFailed = [](const auto& connector) { connector->connect(); };
    const auto connector = connect();
    made.reset();
    CHECK(connector->state() == State::Disconnected);
    CHECK(take().back() == "stop");
    CHECK(log.contains("ReactorNotRunning"));
}
