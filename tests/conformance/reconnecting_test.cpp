// Acceptance F: factories that connect again.

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "conformance/scene.hpp"

#include <reactor/errors.hpp>
#include <reactor/reconnecting_client_factory.hpp>
#include <reactor/testing/clock.hpp>

#include <memory>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

/// Notes what becomes of its attempts; waits on a clock of the case's. Outlived by that clock.
class RecordingReconnecting : public ReconnectingClientFactory {
public:
    explicit RecordingReconnecting(Clock& waitingClock) {
        clock = &waitingClock;
        jitter = 0;
        factor = 2;
        initialDelay = 1s;
        noisy = false;
    }

    int attempts = 0;
    int failed = 0;
    int lost = 0;
    Failure reason; ///< the latest clientConnectionFailed's
    std::shared_ptr<RecordingProtocol> latest;

    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        latest = std::make_shared<RecordingProtocol>("client", events_);
        return latest;
    }
    void startedConnecting(const std::shared_ptr<Connector>&) override { ++attempts; }
    void clientConnectionFailed(const std::shared_ptr<Connector>& connector, const Failure& why) override {
        ++failed;
        reason = why;
        ReconnectingClientFactory::clientConnectionFailed(connector, why);
    }
    void clientConnectionLost(const std::shared_ptr<Connector>& connector, const Failure& why) override {
        ++lost;
        ReconnectingClientFactory::clientConnectionLost(connector, why);
    }

private:
    std::shared_ptr<EventLog> events_ = std::make_shared<EventLog>();
};

/// A reconnecting client of a case, on a clock that stands still.
struct Client {
    explicit Client(Driver& theDriver) : driver(theDriver) {}
    ~Client() { factory->stopTrying(); } // the clock goes

    void connect(int port) { driver.reactor().connectTCP(driver.loopback(), port, factory); }
    void runUntilConnected() {
        driver.runUntil([&] { return factory->latest && factory->latest->transport->isConnected(); });
    }
    void runUntilFailed(int count) {
        driver.runUntil([&] { return factory->failed == count; });
    }

    Driver& driver;
    testing::Clock clock;
    std::shared_ptr<RecordingReconnecting> factory = std::make_shared<RecordingReconnecting>(clock);
};

} // namespace

CONFORMANCE_CASE("F15 (S-112): after stopTrying while connected the connection stays, and its loss is the end") {
    Scene scene(driver);
    const auto port = scene.listen();
    Client client(driver);
    client.connect(port->getHost().port());
    client.runUntilConnected();
    client.factory->stopTrying();
    driver.turns();
    CHECK(client.factory->latest->transport->isConnected());
    client.factory->latest->transport->loseConnection();
    driver.runUntil([&] { return client.factory->lost == 1; });
    CHECK(client.clock.getDelayedCalls().empty());
    CHECK(client.factory->attempts == 1);
}

CONFORMANCE_CASE("F16 (S-112): stopTrying gives a retry up that is under way, and it is not tried again") {
    Scene scene(driver);
    Client client(driver);
    client.connect(scene.closedPort());
    client.runUntilFailed(1);
    client.clock.advance(2s);
    CHECK(client.factory->attempts == 2);
    client.factory->stopTrying();
    client.runUntilFailed(2);
    CHECK(client.factory->reason.check<UserError>());
    CHECK(client.clock.getDelayedCalls().empty());
    CHECK(client.factory->attempts == 2);
}

CONFORMANCE_CASE("F17: with a test clock exactly the scheduled reconnects happen") {
    Scene scene(driver);
    Client client(driver);
    client.connect(scene.closedPort());
    client.runUntilFailed(1);
    CHECK(client.factory->attempts == 1);
    client.clock.advance(1999ms); // initialDelay * factor
    driver.turns();
    CHECK(client.factory->attempts == 1);
    client.clock.advance(1ms);
    CHECK(client.factory->attempts == 2);
    client.runUntilFailed(2);
    client.clock.advance(4s);
    CHECK(client.factory->attempts == 3);
    client.runUntilFailed(3);
}

CONFORMANCE_CASE("S-113: a lost connection is connected again after the delay") {
    Scene scene(driver);
    const auto port = scene.listen();
    Client client(driver);
    client.connect(port->getHost().port());
    client.runUntilConnected();
    driver.runUntil([&] { return !scene.server->protocols.empty() && scene.server->first().made; });
    scene.server->first().transport->loseConnection();
    driver.runUntil([&] { return client.factory->lost == 1; });
    client.clock.advance(2s);
    client.runUntilConnected();
    driver.runUntil([&] { return scene.server->protocols.size() == 2; });
}

CONFORMANCE_CASE("S-112: stopTrying cancels a retry that waits") {
    Scene scene(driver);
    Client client(driver);
    client.connect(scene.closedPort());
    client.runUntilFailed(1);
    client.factory->stopTrying();
    CHECK(client.clock.getDelayedCalls().empty());
    client.clock.advance(1h);
    driver.turns();
    CHECK(client.factory->attempts == 1);
}
