// Acceptance F: connectors and their factories. Trying again is in reconnecting_test.cpp, what goes wrong in
// connect_failures_test.cpp.

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "conformance/scene.hpp"

#include <reactor/errors.hpp>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

using namespace torsion;
using namespace torsion::test;

namespace {

using State = Connector::State;

} // namespace

CONFORMANCE_CASE("F1, U6 (S-97): a connector knows its destination, its state, its factory and its transport") {
    Scene scene(driver);
    const auto port = scene.listen();
    const auto connector = scene.connect(*port);
    CHECK(connector->state() == State::Connecting);
    CHECK(connector->getDestination().host == driver.loopback());
    CHECK(connector->getDestination().port == port->getHost().port());
    CHECK(connector->factory() == scene.client);
    CHECK(&connector->reactor() == &driver.reactor());
    CHECK(&connector->transport() == &Transport::null());
    driver.runUntil([&] { return connector->state() == State::Connected; });
    CHECK(&connector->transport() == scene.client->first().transport);
    connector->disconnect();
    scene.runUntilLost();
    CHECK(connector->state() == State::Disconnected);
    CHECK(&connector->transport() == &Transport::null());
}

CONFORMANCE_CASE("F2 (S-95): a reachable server: the factory starts and hears of connecting, then connectionMade") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.connect(*port);
    CHECK(scene.log.inOrder("client factory started", "client factory connecting"));
    CHECK(scene.log.count("client made") == 0);
    driver.runUntil([&] { return scene.log.count("client made") == 1; });
    CHECK(scene.client->failures.empty());
}

CONFORMANCE_CASE("F3 (S-109): clientConnectionFailed may stop the reactor, and run() returns") {
    Scene scene(driver);
    scene.client->onFailed = [&](Connector& connector) { connector.reactor().stop(); };
    scene.connect(scene.closedPort());
    runReactor(driver);
    CHECK(scene.client->failures.size() == 1);
    CHECK_FALSE(driver.reactor().isRunning());
}

CONFORMANCE_CASE("F4 (S-96): it is the same connector from startedConnecting to clientConnectionLost") {
    Scene scene(driver);
    const auto port = scene.listen();
    const auto connector = scene.connect(*port);
    const Destination destination = connector->getDestination();
    driver.runUntil([&] { return connector->state() == State::Connected; });
    connector->disconnect();
    scene.runUntilLost();
    REQUIRE(scene.client->heardFrom.size() == 2);
    CHECK(scene.client->heardFrom[0] == connector.get());
    CHECK(scene.client->heardFrom[1] == connector.get());
    CHECK(connector->getDestination() == destination);
}

CONFORMANCE_CASE("F5 (S-98): given up in startedConnecting, an attempt fails with UserError in a later phase") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.client->onConnecting = [](Connector& connector) { connector.stopConnecting(); };
    scene.connect(*port);
    CHECK(scene.client->failures.empty());
    scene.runUntilFailed();
    CHECK(scene.client->failures[0].check<UserError>());
    driver.turns();
    CHECK(scene.log.count("client factory failed UserError") == 1);
    CHECK(scene.log.count("client factory stopped") == 1);
    CHECK(scene.server->protocols.empty());
}

CONFORMANCE_CASE(
    "F6 (S-100): connect() in clientConnectionLost connects again, and the factory is not stopped between") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.client->onLost = [&](Connector& connector) {
        scene.client->onLost = nullptr;
        connector.connect();
    };
    const auto connector = scene.connect(*port);
    driver.runUntil([&] { return connector->state() == State::Connected; });
    connector->disconnect();
    driver.runUntil([&] { return scene.log.count("client made") == 2; });
    CHECK(scene.log.count("client factory started") == 1);
    CHECK(scene.log.count("client factory stopped") == 0);
    connector->disconnect();
    driver.runUntil([&] { return scene.log.count("client factory stopped") == 1; });
}

CONFORMANCE_CASE("F7 (S-106): a connection that the client's factory refuses is closed in order, and told as lost") {
    Scene scene(driver);
    scene.client->refuses = true;
    const auto port = scene.listen();
    const auto connector = scene.connect(*port);
    scene.runUntilLost();
    CHECK(scene.client->losses[0].check<ConnectionDone>());
    CHECK(scene.client->failures.empty());
    CHECK(connector->state() == State::Disconnected);
    driver.runUntil([&] { return !scene.server->protocols.empty() && scene.server->first().lost(); });
    CHECK(scene.server->first().reason.check<ConnectionDone>());
}

CONFORMANCE_CASE(
    "F8 (S-108): connected by name, a transport's addresses are numeric, and the destination is the name") {
    Scene scene(driver);
    scriptNames(driver).setAddresses("server.example", {driver.loopback()});
    const auto port = scene.listen();
    const auto connector = driver.reactor().connectTCP("server.example", port->getHost().port(), scene.client);
    driver.runUntil([&] { return connector->state() == State::Connected; });
    CHECK(connector->transport().getPeer() == port->getHost());
    CHECK(connector->transport().getHost().host() == driver.loopback());
    CHECK(connector->getDestination().host == "server.example");
}

CONFORMANCE_CASE("F13 (S-86): a client's buildProtocol gets the server's address") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.connectPair(*port);
    REQUIRE(scene.client->peers.size() == 1);
    CHECK(scene.client->peers[0] == port->getHost());
}

CONFORMANCE_CASE("S-88: a client's protocol has its factory in connectionMade, and none after the loss") {
    Scene scene(driver);
    bool made = false;
    scene.client->onBuild = [&](RecordingProtocol& protocol) {
        protocol.onMade = [&] { made = protocol.factory == scene.client.get(); };
    };
    const auto port = scene.listen();
    const auto connector = scene.connect(*port);
    driver.runUntil([&] { return connector->state() == State::Connected; });
    CHECK(made);
    connector->disconnect();
    scene.runUntilLost();
    CHECK(scene.client->first().factory == nullptr);
    CHECK(scene.client->first().transport == &Transport::null());
}

CONFORMANCE_CASE("S-97: connect() throws unless the connector is disconnected") {
    Scene scene(driver);
    const auto port = scene.listen();
    const auto connector = scene.connect(*port);
    CHECK_THROWS_AS(connector->connect(), std::logic_error);
    driver.runUntil([&] { return connector->state() == State::Connected; });
    CHECK_THROWS_AS(connector->connect(), std::logic_error);
}

CONFORMANCE_CASE("S-98: stopConnecting() throws NotConnectingError when there is no attempt") {
    Scene scene(driver);
    const auto port = scene.listen();
    const auto connector = scene.connect(*port);
    driver.runUntil([&] { return connector->state() == State::Connected; });
    CHECK_THROWS_AS(connector->stopConnecting(), NotConnectingError);
    connector->disconnect();
    scene.runUntilLost();
    CHECK_THROWS_AS(connector->stopConnecting(), NotConnectingError);
}

CONFORMANCE_CASE("S-98: an attempt that is under way can be given up, and nothing of it is left") {
    Scene scene(driver);
    const auto port = scene.listen();
    const auto connector = scene.connect(*port);
    connector->stopConnecting();
    scene.runUntilFailed();
    CHECK(scene.client->failures[0].check<UserError>());
    CHECK(scene.client->protocols.empty());
    CHECK_FALSE(nextCall(driver).has_value()); // no time-out is left
}

CONFORMANCE_CASE(
    "S-99: disconnect() gives an attempt up, closes a connection, and does nothing when there is neither") {
    Scene scene(driver);
    const auto port = scene.listen();
    const auto connector = scene.connect(*port);
    connector->disconnect();
    scene.runUntilFailed();
    CHECK(scene.client->failures[0].check<UserError>());
    connector->disconnect();
    connector->connect();
    driver.runUntil([&] { return connector->state() == State::Connected; });
    connector->disconnect();
    scene.runUntilLost();
    CHECK(scene.client->losses[0].check<ConnectionDone>());
    CHECK(scene.client->failures.size() == 1);
}

CONFORMANCE_CASE("S-100: connect() in clientConnectionFailed tries again, and the factory is not stopped between") {
    Scene scene(driver);
    scene.client->onFailed = [&](Connector& connector) {
        if (scene.client->failures.size() < 3)
            connector.connect();
    };
    scene.connect(scene.closedPort());
    driver.runUntil([&] { return scene.log.count("client factory stopped") == 1; });
    CHECK(scene.log.count("client factory connecting") == 3);
    CHECK(scene.log.count("client factory started") == 1);
}

CONFORMANCE_CASE("S-101: connecting again later starts the factory again") {
    Scene scene(driver);
    const auto port = scene.listen();
    const auto connector = scene.connect(*port);
    driver.runUntil([&] { return connector->state() == State::Connected; });
    connector->disconnect();
    driver.runUntil([&] { return scene.log.count("client factory stopped") == 1; });
    connector->connect();
    CHECK(scene.log.count("client factory started") == 2);
    driver.runUntil([&] { return connector->state() == State::Connected; });
}

CONFORMANCE_CASE("S-94: a port that cannot be, an empty host and a null factory are refused inside connectTCP") {
    Scene scene(driver);
    Reactor& reactor = driver.reactor();
    CHECK_THROWS_AS(scene.connect(0), std::invalid_argument);
    CHECK_THROWS_AS(scene.connect(65536), std::invalid_argument);
    CHECK_THROWS_AS(reactor.connectTCP("", 1, scene.client), std::invalid_argument);
    CHECK_THROWS_AS(reactor.connectTCP(driver.loopback(), 1, nullptr), std::invalid_argument);
    CHECK_THROWS_AS(scene.connect(1, {.bindHost = "no address"}), InvalidAddressError);
    CHECK_THROWS_AS(scene.connect(1, {.timeout = std::chrono::milliseconds(-1)}), std::invalid_argument);
    CHECK(scene.log.events().empty());
}

CONFORMANCE_CASE("a connection lives on when nobody holds its connector") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.connectPair(*port);
    driver.turns();
    scene.client->first().transport->write("still here");
    driver.runUntil([&] { return scene.server->first().received == "still here"; });
}

CONFORMANCE_CASE("F10: a service's name stands for its port") {
    Scene scene(driver);
    const auto port = scene.listen();
    scriptNames(driver).setService("our-service", port->getHost().port(), "tcp");
    const auto connector = driver.reactor().connectTCP(driver.loopback(), "our-service", scene.client);
    CHECK(connector->getDestination().port == port->getHost().port());
    driver.runUntil([&] { return connector->state() == State::Connected; });
}
