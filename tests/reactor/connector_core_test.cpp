// The states of a connector, and what its factory hears and throws.

#include <reactor/connector.hpp>
#include <reactor/connector_core_support.hpp>
#include <reactor/errors.hpp>

#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using Trace = std::vector<std::string>;
using State = Connector::State;

TEST_CASE_FIXTURE(ConnectorFixture,
                  "S-95: the factory starts and hears startedConnecting inside connectTCP, all else later") {
    const auto connector = connect();
    CHECK(take() == Trace{"start", "started"});
    CHECK(connector->state() == State::Connecting);
    CHECK(&connector->transport() == &Transport::null());
    reactor.attempts[0].succeed();
    CHECK(take() == Trace{"build 192.0.2.1:80", "made"});
    CHECK(connector->state() == State::Connected);
    CHECK(connector->transport().isConnected());
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-96: the same connector all along, and the destination as it was given") {
    const auto connector = connect("example.org");
    CHECK(connector->getDestination() == Destination{"example.org", 80});
    reactor.query(0).answer({Address::ipv4("192.0.2.7", 80)});
    reactor.attempts[0].succeed();
    connector->transport().abortConnection();
    reactor.step();
    CHECK(take() == Trace{"start", "started", "build 192.0.2.7:80", "made", "protocol lost ConnectionAborted",
                          "lost ConnectionAborted", "stop"});
    CHECK(factory->connectors == std::vector<Connector*>{connector.get(), connector.get()});
    CHECK(connector->getDestination() == Destination{"example.org", 80});
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-97: connect() throws, naming destination and state, unless disconnected") {
    const auto connector = connect();
    CHECK_THROWS_WITH_AS(connector->connect(), "connect: the connector of 192.0.2.1:80 is connecting, not disconnected",
                         std::logic_error);
    reactor.attempts[0].succeed();
    CHECK_THROWS_WITH_AS(connector->connect(), "connect: the connector of 192.0.2.1:80 is connected, not disconnected",
                         std::logic_error);
}

TEST_CASE_FIXTURE(ConnectorFixture,
                  "S-98: an attempt given up in startedConnecting fails in a later phase and never begins") {
    factory->onStarted = [](const auto& connector) { connector->stopConnecting(); };
    const auto connector = connect();
    CHECK(take() == Trace{"start", "started"});
    CHECK(reactor.attempts.size() == 0);
    reactor.step();
    CHECK(take() == Trace{"failed UserError", "stop"});
    CHECK(connector->state() == State::Disconnected);
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-98: an attempt that is given up is abandoned, and given up once") {
    const auto connector = connect();
    connector->stopConnecting();
    connector->stopConnecting();
    reactor.step();
    CHECK_FALSE(reactor.attempts[0].pending());
    CHECK(take() == Trace{"start", "started", "failed UserError", "stop"});
    CHECK(reactor.turn().nextEvent() == std::nullopt);
    CHECK_THROWS_AS(connector->stopConnecting(), NotConnectingError);
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-98: a connection that comes after giving up is closed") {
    const auto connector = connect();
    connector->stopConnecting();
    reactor.attempts[0].succeed();
    CHECK(reactor.attempts[0].connection->closed);
    reactor.step();
    CHECK(take() == Trace{"start", "started", "failed UserError", "stop"});
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-99: disconnect() gives up, closes, or does nothing") {
    const auto connector = connect();
    connector->disconnect();
    reactor.step();
    connector->disconnect();
    CHECK(take() == Trace{"start", "started", "failed UserError", "stop"});

    connector->connect();
    reactor.attempts[1].succeed();
    connector->disconnect();
    CHECK(connector->transport().isDisconnecting());
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-100: connecting again inside clientConnectionFailed keeps the factory started") {
    factory->onFailed = [](const auto& connector) { connector->connect(); };
    connect();
    reactor.attempts[0].fail(getConnectError(ECONNREFUSED));
    reactor.step();
    CHECK(take() == Trace{"start", "started", "failed ConnectionRefusedError", "started"});
    factory->onFailed = nullptr;
    reactor.attempts[1].fail(getConnectError(ECONNREFUSED));
    reactor.step();
    CHECK(take() == Trace{"failed ConnectionRefusedError", "stop"});
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-100: connecting again inside clientConnectionLost keeps the factory started") {
    factory->onLost = [](const auto& connector) { connector->connect(); };
    const auto connector = connect();
    reactor.attempts[0].succeed();
    connector->transport().abortConnection();
    reactor.step();
    CHECK(take().back() == "started");
    reactor.attempts[1].succeed();
    CHECK(take() == Trace{"build 192.0.2.1:80", "made"});
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-101: connecting again later, or in stopFactory, starts the factory again") {
    const auto connector = connect();
    factory->onStop = [&] { connector->connect(); };
    reactor.attempts[0].fail(getConnectError(ECONNREFUSED));
    reactor.step();
    CHECK(take() == Trace{"start", "started", "failed ConnectionRefusedError", "stop", "start", "started"});
    factory->onStop = nullptr;
    CHECK(reactor.attempts[1].pending());
}

TEST_CASE_FIXTURE(ConnectorFixture,
                  "S-97: connect() inside startFactory throws as in any other place while connecting") {
    const auto connector = connect();
    reactor.attempts[0].fail(getConnectError(ECONNREFUSED));
    reactor.step();
    factory->onStart = [&] { CHECK_THROWS_AS(connector->connect(), std::logic_error); };
    connector->connect();
    CHECK(reactor.attempts.size() == 2);
    CHECK(connector->state() == State::Connecting);
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-106: a connection that the factory refuses is closed and told as lost") {
    factory->refuse = true;
    const auto connector = connect();
    reactor.attempts[0].succeed();
    CHECK(reactor.attempts[0].connection->closed);
    CHECK(reactor.attempts[0].connection->mode == core::CloseMode::Orderly);
    reactor.step();
    CHECK(take() == Trace{"start", "started", "build 192.0.2.1:80", "lost ConnectionDone", "stop"});
    CHECK(connector->state() == State::Disconnected);
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-65: a throw in buildProtocol is logged, closes, and is told as failed") {
    LogCapture log;
    factory->onBuild = throwError;
    connect();
    reactor.attempts[0].succeed();
    CHECK(reactor.attempts[0].connection->closed);
    reactor.step();
    CHECK(take() == Trace{"start", "started", "build 192.0.2.1:80", "failed ConnectError", "stop"});
    CHECK(factory->lastReason.cause().check<std::runtime_error>());
    CHECK(log.count("Exception in buildProtocol") == 1);
}

TEST_CASE_FIXTURE(ConnectorFixture, "an attempt may be given up in buildProtocol") {
    const auto connector = connect();
    factory->onBuild = [&] { connector->disconnect(); };
    reactor.attempts[0].succeed();
    CHECK(reactor.attempts[0].connection->closed);
    reactor.step();
    CHECK(take() == Trace{"start", "started", "build 192.0.2.1:80", "failed UserError", "stop"});
}

TEST_CASE_FIXTURE(ConnectorFixture,
                  "S-66: a throw in connectionLost keeps neither clientConnectionLost nor stopFactory away") {
    LogCapture log;
    factory->onConnectionLost = throwError;
    const auto connector = connect();
    reactor.attempts[0].succeed();
    connector->transport().abortConnection();
    reactor.step();
    CHECK(take() == Trace{"start", "started", "build 192.0.2.1:80", "made", "protocol lost ConnectionAborted",
                          "lost ConnectionAborted", "stop"});
}

TEST_CASE_FIXTURE(ConnectorFixture,
                  "S-67: what the factory throws is logged with the destination, and the rest goes on") {
    LogCapture log;
    const auto thrower = [](const auto&) { throwError(); };
    factory->onStarted = factory->onFailed = factory->onLost = thrower;
    factory->onStop = throwError;
    const auto connector = connect();
    reactor.attempts[0].fail(getConnectError(ECONNREFUSED));
    reactor.step();
    connector->connect();
    reactor.attempts[1].succeed();
    connector->transport().abortConnection();
    reactor.step();
    CHECK(connector->state() == State::Disconnected);
    CHECK(log.count("Exception in startedConnecting") == 2);
    CHECK(log.count("Exception in clientConnectionFailed") == 1);
    CHECK(log.count("Exception in clientConnectionLost") == 1);
    CHECK(log.count("Exception in stopFactory") == 2);
    CHECK(log.count("192.0.2.1:80") == 6);
}

TEST_CASE_FIXTURE(ConnectorFixture, "S-80: a factory whose startFactory throws is not started, and connect() throws") {
    factory->onStart = throwError;
    CHECK_THROWS_AS(connect(), std::runtime_error);
    CHECK(take() == Trace{"start"});
    factory->onStart = nullptr;
    connect();
    CHECK(take() == Trace{"start", "started"});
}
