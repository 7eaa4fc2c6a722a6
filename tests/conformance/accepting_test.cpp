// Acceptance E: accepted connections, and accepting when descriptors run out.

#include "conformance/descriptors.hpp"
#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "conformance/scene.hpp"
#include "support/log_capture.hpp"
#include "support/skip.hpp"

#include <reactor/errors.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

using namespace torsion;
using namespace torsion::test;

namespace {

// Waiting 100 ms again and again takes a few turns each time; a loop that spins takes thousands.
constexpr std::uint64_t kManyTurns = 200;

/// Has a text, to show that a factory passes it on.
class Greeter : public Protocol {
public:
    explicit Greeter(std::string greeting) : greeting_(std::move(greeting)) {}
    void connectionMade() override { transport->write(greeting_); }

private:
    std::string greeting_;
};

} // namespace

REAL_CASE("E13 (S-79): a port on a link-local address keeps its scope") {
    if (!driver.isIPv6())
        return;
    const std::string address = linkLocalAddress();
    if (address.empty()) {
        support::reportSkip("network", "no link-local IPv6 address");
        return;
    }
    Scene scene(driver);
    const auto port = scene.listen(0, {.interface = address});
    CHECK(port->getHost().scopeId() != 0);
    CHECK(port->getHost().host() == address);
    driver.reactor().connectTCP(address, port->getHost().port(), scene.client);
    driver.runUntil([&] { return !scene.server->protocols.empty() && scene.server->first().made; });
    CHECK(scene.server->peers.at(0).scopeId() == port->getHost().scopeId());
}

CONFORMANCE_CASE("E14, E15 (S-86): buildProtocol gets the peer's address, of the family it came over") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.connectPair(*port);
    CHECK(scene.server->peers.at(0) == scene.client->first().transport->getHost());
    CHECK(scene.server->peers.at(0).isIPv6() == driver.isIPv6());
}

CONFORMANCE_CASE("E16: an accepted transport's host is where the connection was accepted") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.connectPair(*port);
    CHECK(scene.server->first().transport->getHost() == port->getHost());
}

CONFORMANCE_CASE("E17: an accepted transport's peer is the client's host, also in connectionLost") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.connectPair(*port);
    const Address client = scene.client->first().transport->getHost();
    RecordingProtocol& server = scene.server->first();
    CHECK(server.transport->getPeer() == client);
    server.onLost = [&](const Failure&) {
        CHECK(server.transport->getPeer() == client);
        CHECK(server.transport->getHost() == port->getHost());
    };
    scene.client->first().transport->loseConnection();
    driver.runUntil([&] { return server.lost(); });
}

REAL_CASE("E18 (S-90): without descriptors clients are turned away promptly, nothing spins, and service recovers") {
    const LogCapture log;
    Scene scene(driver);
    const auto port = scene.listen();
    driver.turns();
    const std::uint64_t turns = driver.reactor().stats().turns;
    {
        RawClient first(port->getHost());
        RawClient second(port->getHost());
        const NoDescriptors none(NoDescriptors::How::Occupied);
        first.connect();
        driver.runUntil([&] { return first.isClosed(); });
        second.connect(); // comes while accepting rests
        driver.runUntil([&] { return second.isClosed(); });
        CHECK(scene.server->protocols.empty());
    }
    CHECK(driver.reactor().stats().turns - turns < kManyTurns);
    CHECK(driver.reactor().stats().connectionsRefused == 2);
    CHECK(log.count("no descriptors are left") == 1);
    scene.connectPair(*port);
}

// Alone: poll, with which the hosts wait, fails where not even one descriptor is allowed.
ALONE_CASE("E19 (S-90): when even the reserve cannot be had again that is logged, and service recovers") {
    const LogCapture log;
    Scene scene(driver);
    const auto port = scene.listen();
    RawClient client(port->getHost());
    bool rested = false; // accepting has rested, and was tried again
    driver.reactor().callLater(std::chrono::milliseconds(250), [&] { rested = true; });
    const std::uint64_t turns = driver.reactor().stats().turns;
    {
        const NoDescriptors none(NoDescriptors::How::Forbidden);
        client.connect();
        driver.runUntil([&] { return log.contains("no descriptors are left"); });
        driver.runUntil([&] { return rested; });
        CHECK(scene.server->protocols.empty());
    }
    CHECK(driver.reactor().stats().turns - turns < kManyTurns);
    CHECK(log.count("no descriptors are left") == 1);
    driver.runUntil([&] { return !scene.server->protocols.empty() && scene.server->first().made; });
    RawClient late(port->getHost());
    {
        const NoDescriptors none(NoDescriptors::How::Occupied); // the reserve is there again
        late.connect();
        driver.runUntil([&] { return late.isClosed(); });
    }
    scene.connectPair(*port);
}

CONFORMANCE_CASE("E22 (S-88): a protocol has its factory and its transport in connectionMade") {
    Scene scene(driver);
    bool made = false;
    scene.server->onBuild = [&](RecordingProtocol& protocol) {
        CHECK(protocol.factory == nullptr);
        CHECK(protocol.transport == &Transport::null());
        protocol.onMade = [&] {
            made = true;
            CHECK(protocol.factory == scene.server.get());
            CHECK(protocol.transport->isConnected());
            CHECK(protocol.transport->isReading());
        };
    };
    const auto port = scene.listen();
    scene.connectPair(*port);
    CHECK(made);
}

CONFORMANCE_CASE("E23: a factory made with forProtocol makes that protocol, with the arguments, for each connection") {
    Scene scene(driver);
    const auto factory = Factory::forProtocol<Greeter>(std::string("welcome"));
    factory->noisy = false;
    const auto port = driver.reactor().listenTCP(0, factory, {.interface = driver.loopback()});
    for (std::size_t i = 0; i < 2; ++i) {
        scene.connect(*port);
        driver.runUntil([&] {
            return scene.client->protocols.size() == i + 1 && scene.client->protocols[i]->received == "welcome";
        });
    }
}

CONFORMANCE_CASE("E29 (S-64): what connectionMade throws on a server is logged, and drops the connection") {
    const LogCapture log;
    Scene scene(driver);
    scene.server->onBuild = [](RecordingProtocol& protocol) { protocol.onMade = [] { throw Bug(); }; };
    const auto port = scene.listen();
    scene.connect(*port);
    driver.runUntil([&] { return !scene.server->protocols.empty() && scene.server->first().lost(); });
    CHECK(scene.server->first().reason.check<Bug>());
    CHECK(log.contains("a bug in user code"));
    scene.runUntilLost();
}

CONFORMANCE_CASE("E30 (S-65): what buildProtocol throws on a server is logged, and the peer is closed") {
    const LogCapture log;
    Scene scene(driver);
    scene.server->onBuild = [](RecordingProtocol&) { throw Bug(); };
    const auto port = scene.listen();
    scene.connect(*port);
    scene.runUntilLost();
    CHECK(log.contains("a bug in user code"));
    CHECK(driver.reactor().stats().connectionsRefused == 1);
    scene.server->onBuild = nullptr;
    scene.connectPair(*port);
}

CONFORMANCE_CASE("S-87: a connection that the server's factory refuses is closed, and nothing else") {
    Scene scene(driver);
    scene.server->refuses = true;
    const auto port = scene.listen();
    scene.connect(*port);
    scene.runUntilLost();
    CHECK(driver.reactor().stats().connectionsRefused == 1);
    CHECK(port->connectionCount() == 0);
    CHECK(port->isListening());
}

CONFORMANCE_CASE("S-81: connections outlive their port and their factory's stop") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.connectPair(*port);
    const Outcome stopped(port->stopListening());
    driver.runUntil([&] { return stopped.fired(); });
    CHECK(scene.log.count("server factory stopped") == 1);
    CHECK(port->connectionCount() == 1);
    scene.client->first().transport->write("still here");
    driver.runUntil([&] { return scene.server->first().received == "still here"; });
    scene.client->first().transport->loseConnection();
    driver.runUntil([&] { return scene.server->first().lost(); });
    CHECK(port->connectionCount() == 0);
}

CONFORMANCE_CASE("a port may be stopped in buildProtocol: that connection is made, and no other") {
    Scene scene(driver);
    std::shared_ptr<ListeningPort> port;
    scene.server->onBuild = [&](RecordingProtocol&) { port->stopListening().detach(); };
    port = scene.listen();
    for (int i = 0; i < 3; ++i)
        scene.connect(*port);
    driver.runUntil([&] { return scene.client->losses.size() + scene.client->failures.size() == 2; });
    CHECK(scene.server->protocols.size() == 1);
    CHECK(scene.server->first().made);
}

CONFORMANCE_CASE("a port that pauses accepting leaves connections waiting until it resumes") {
    Scene scene(driver);
    const auto port = scene.listen();
    port->pauseAccepting();
    scene.connect(*port);
    driver.runUntil([&] { return !scene.client->protocols.empty() && scene.client->first().made; });
    driver.turns();
    CHECK(scene.server->protocols.empty());
    CHECK(port->isListening());
    port->resumeAccepting();
    driver.runUntil([&] { return !scene.server->protocols.empty() && scene.server->first().made; });
}

CONFORMANCE_CASE("a port accepts nothing while somebody holds it, whatever the others do") {
    Scene scene(driver);
    const auto port = scene.listen();
    std::shared_ptr<void> first = port->holdAccepting();
    std::shared_ptr<void> second = port->holdAccepting();
    port->pauseAccepting();
    port->resumeAccepting();
    first.reset();
    port->stopListening().detach();
    driver.turns();
    port->startListening();
    scene.connect(*port);
    driver.runUntil([&] { return !scene.client->protocols.empty() && scene.client->first().made; });
    driver.turns();
    CHECK(scene.server->protocols.empty());
    second.reset();
    driver.runUntil([&] { return !scene.server->protocols.empty(); });
}

CONFORMANCE_CASE("a hold may outlive its port") {
    Scene scene(driver);
    const std::shared_ptr<void> held = scene.listen()->holdAccepting();
    driver.destroyReactor();
    CHECK(held);
}

CONFORMANCE_CASE("a port accepts no more than maxConnections at once, and goes on when one has ended") {
    Scene scene(driver);
    const auto port = scene.listen(0, {.maxConnections = 2});
    for (int i = 0; i < 3; ++i)
        scene.connect(*port);
    driver.runUntil([&] { return scene.client->protocols.size() == 3 && scene.server->protocols.size() == 2; });
    driver.turns();
    CHECK(port->connectionCount() == 2);
    CHECK(scene.server->protocols.size() == 2);
    scene.server->first().transport->loseConnection();
    driver.runUntil([&] { return scene.server->protocols.size() == 3; });
    CHECK(port->connectionCount() == 2);
}

CONFORMANCE_CASE("a port takes no more than acceptBudget connections at once, and the others after it") {
    Scene scene(driver);
    const auto port = scene.listen(0, {.acceptBudget = 1});
    std::vector<std::uint64_t> turns;
    scene.server->onBuild = [&](RecordingProtocol&) { turns.push_back(driver.reactor().stats().turns); };
    port->pauseAccepting();
    for (int i = 0; i < 3; ++i)
        scene.connect(*port);
    driver.runUntil([&] { return scene.client->protocols.size() == 3; });
    driver.turns();
    port->resumeAccepting();
    driver.runUntil([&] { return turns.size() == 3; });
    CHECK(turns[0] < turns[1]);
    CHECK(turns[1] < turns[2]);
}
