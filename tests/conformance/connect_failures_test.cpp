// Acceptance F: what goes wrong with connecting.

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "conformance/scene.hpp"
#include "support/log_capture.hpp"

#include <reactor/errors.hpp>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

CONFORMANCE_CASE("F9 (S-103): a closed port fails with ConnectionRefusedError, its errno and the destination") {
    Scene scene(driver);
    const int port = scene.closedPort();
    scene.connect(port);
    CHECK(scene.client->failures.empty()); // never inside connectTCP
    scene.runUntilFailed();
    CHECK(scene.client->failures[0].check<ConnectionRefusedError>());
    CHECK(scene.client->failures[0].code() == ECONNREFUSED);
    CHECK(scene.client->failures[0].getErrorMessage().find(std::to_string(port)) != std::string::npos);
}

CONFORMANCE_CASE("F11 (S-94): a service that is not known is refused at once, by its name") {
    Scene scene(driver);
    scriptNames(driver);
    const auto connect = [&] { driver.reactor().connectTCP(driver.loopback(), "no-such-service", scene.client); };
    CHECK_THROWS_WITH_AS(connect(), "looking up service no-such-service/tcp: not known", ServiceNameUnknownError);
    CHECK(scene.client->failures.empty());
}

CONFORMANCE_CASE("F12 (S-104): an occupied local port fails with ConnectBindError, later") {
    Scene scene(driver);
    const auto port = scene.listen();
    const auto occupied = scene.listen();
    scene.connect(*port, {.bindHost = driver.loopback(), .bindPort = occupied->getHost().port()});
    CHECK(scene.client->failures.empty());
    scene.runUntilFailed();
    CHECK(scene.client->failures[0].check<ConnectBindError>());
    CHECK(scene.client->failures[0].code() == EADDRINUSE);
    CHECK(scene.server->protocols.empty());
}

TEST_CASE("F14 (S-103): an errno becomes the ConnectError that it means, and keeps its number") {
    CHECK(getConnectError(ENETUNREACH).check<NoRouteError>());
    CHECK(getConnectError(ECONNREFUSED).check<ConnectionRefusedError>());
    CHECK(getConnectError(ETIMEDOUT).check<TCPTimedOutError>());
    CHECK(getConnectError(EPROTO).check<ConnectError>());
    CHECK(getConnectError(EPROTO).name() == "ConnectError");
    CHECK(getConnectError(ETIMEDOUT).code() == ETIMEDOUT);
}

CONFORMANCE_CASE("F20 (S-66): what connectionLost throws keeps neither clientConnectionLost nor stopFactory away") {
    const LogCapture log;
    Scene scene(driver);
    scene.client->onBuild = [](RecordingProtocol& protocol) { protocol.onLost = [](const Failure&) { throw Bug(); }; };
    const auto port = scene.listen();
    const auto connector = scene.connect(*port);
    driver.runUntil([&] { return connector->state() == Connector::State::Connected; });
    connector->disconnect();
    driver.runUntil([&] { return scene.log.count("client factory stopped") == 1; });
    CHECK(scene.client->losses.size() == 1);
    CHECK(connector->state() == Connector::State::Disconnected);
    CHECK(log.contains("a bug in user code"));
}

CONFORMANCE_CASE("F21 (S-102): a look-up that never ends fails with TimeoutError, once, and its timer is gone") {
    Scene scene(driver);
    scriptNames(driver).setSilent("silent.example");
    driver.reactor().connectTCP("silent.example", 1, scene.client, {.timeout = 20ms});
    scene.runUntilFailed();
    CHECK(scene.client->failures[0].check<TimeoutError>());
    CHECK_FALSE(nextCall(driver).has_value());
    driver.turns();
    CHECK(scene.client->failures.size() == 1);
}

CONFORMANCE_CASE("F21 (S-102): connecting to a server that never answers fails with TimeoutError, once each") {
    constexpr std::size_t kClients = 8; // more than the kernel takes for a backlog of 1
    Scene scene(driver);
    const auto port = scene.listen(0, {.backlog = 1});
    port->pauseAccepting();
    for (std::size_t i = 0; i < kClients; ++i)
        scene.connect(*port, {.timeout = 50ms});
    driver.runUntil([&] { return scene.client->protocols.size() + scene.client->failures.size() == kClients; });
    CHECK(!scene.client->failures.empty());
    for (const Failure& failure : scene.client->failures)
        CHECK(failure.check<TimeoutError>());
    CHECK_FALSE(nextCall(driver).has_value());
}

CONFORMANCE_CASE("S-102: once connected the timer is gone") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.connectPair(*port);
    CHECK_FALSE(nextCall(driver).has_value());
}

CONFORMANCE_CASE("S-105: a name that is unknown fails with what the resolver says") {
    Scene scene(driver);
    scriptNames(driver).setFailure("nowhere.example", Failure::of<DNSLookupError>("no such name: nowhere.example"));
    driver.reactor().connectTCP("nowhere.example", 1, scene.client);
    CHECK(scene.client->failures.empty());
    scene.runUntilFailed();
    CHECK(scene.client->failures[0].check<DNSLookupError>());
    CHECK(scene.client->failures[0].getErrorMessage().find("nowhere.example") != std::string::npos);
}

CONFORMANCE_CASE("S-105: a name's addresses are tried one after the other, and the error names every one") {
    Scene scene(driver);
    const int closed = scene.closedPort();
    scriptNames(driver).setAddresses("server.example", {"127.0.0.1", "127.0.0.2"});
    driver.reactor().connectTCP("server.example", closed, scene.client);
    scene.runUntilFailed();
    const std::string message = scene.client->failures[0].getErrorMessage();
    CHECK(message.find("127.0.0.1") != std::string::npos);
    CHECK(message.find("127.0.0.2") != std::string::npos);
    CHECK(scene.log.count("client factory connecting") == 1);
}

CONFORMANCE_CASE("S-105: the next address of a name is used when the first is refused") {
    Scene scene(driver);
    const auto port = scene.listen();
    scriptNames(driver).setAddresses("server.example", {"127.0.0.2", driver.loopback()});
    const auto connector = driver.reactor().connectTCP("server.example", port->getHost().port(), scene.client);
    driver.runUntil([&] { return connector->state() == Connector::State::Connected; });
    CHECK(connector->transport().getPeer() == port->getHost());
    CHECK(scene.client->failures.empty());
}

CONFORMANCE_CASE(
    "S-65: what a client's buildProtocol throws is logged, told as ConnectError, and the socket is closed") {
    const LogCapture log;
    Scene scene(driver);
    scene.client->onBuild = [](RecordingProtocol&) { throw Bug(); };
    const auto port = scene.listen();
    scene.connect(*port);
    scene.runUntilFailed();
    CHECK(scene.client->failures[0].check<ConnectError>());
    CHECK(scene.client->failures[0].cause().check<Bug>());
    CHECK(log.contains("a bug in user code"));
    driver.runUntil([&] { return !scene.server->protocols.empty() && scene.server->first().lost(); });
    CHECK(scene.log.count("client factory stopped") == 1);
}

CONFORMANCE_CASE("S-64: what a client's connectionMade throws is logged and drops the connection with it") {
    const LogCapture log;
    Scene scene(driver);
    scene.client->onBuild = [](RecordingProtocol& protocol) { protocol.onMade = [] { throw Bug(); }; };
    const auto port = scene.listen();
    scene.connect(*port);
    scene.runUntilLost();
    CHECK(scene.client->first().reason.check<Bug>());
    CHECK(scene.client->losses[0].check<Bug>());
    CHECK(log.contains("a bug in user code"));
}

CONFORMANCE_CASE("S-67: what the factory's callbacks throw is logged, and connecting goes on") {
    const LogCapture log;
    Scene scene(driver);
    scene.client->onConnecting = [](Connector&) { throw Bug(); };
    scene.client->onLost = [](Connector&) { throw Bug(); };
    const auto port = scene.listen();
    const auto connector = scene.connect(*port);
    driver.runUntil([&] { return connector->state() == Connector::State::Connected; });
    connector->disconnect();
    driver.runUntil([&] { return scene.log.count("client factory stopped") == 1; });
    CHECK(log.count("a bug in user code") == 2);
    scene.client->onConnecting = nullptr;
    scene.client->onFailed = [](Connector&) { throw Bug(); };
    scene.connect(scene.closedPort());
    driver.runUntil([&] { return scene.log.count("client factory stopped") == 2; });
    CHECK(log.count("a bug in user code") == 3);
}

CONFORMANCE_CASE("S-67: what a client's stopFactory throws is logged, and the factory can be used again") {
    const LogCapture log;
    Scene scene(driver);
    scene.client->onStop = [] { throw Bug(); };
    const auto connector = scene.connect(scene.closedPort());
    driver.runUntil([&] { return scene.log.count("client factory stopped") == 1; });
    CHECK(log.contains("a bug in user code"));
    connector->connect();
    scene.runUntilFailed(2);
    CHECK(scene.log.count("client factory started") == 2);
}

CONFORMANCE_CASE("a reactor that ends with attempts under way tells each of them, once") {
    Scene scene(driver);
    scriptNames(driver).setSilent("silent.example");
    driver.reactor().connectTCP("silent.example", 1, scene.client);
    scene.connect(scene.closedPort());
    driver.destroyReactor();
    REQUIRE(scene.client->failures.size() == 2);
    CHECK(scene.client->failures[0].check<CancelledError>());
    CHECK(scene.log.count("client factory stopped") == 1);
}
