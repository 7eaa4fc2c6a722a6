// Stopping: what becomes of connections, with and without time to drain.

#include "conformance/descriptors.hpp"
#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "conformance/scene.hpp"
#include "support/kernel_buffers.hpp"

#include <reactor/errors.hpp>
#include <reactor/looping_call.hpp>
#include <reactor/producer.hpp>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSize = kMoreThanKernelsKeep;

/// Never has anything to say, and never says that it is done: a close waits for it.
class EndlessProducer final : public PushProducer {
public:
    bool stopped = false;

    void pauseProducing() override {}
    void resumeProducing() override {}
    void stopProducing() override { stopped = true; }
};

void stopOnceRunning(Driver& driver, StopOptions options = {}) {
    driver.reactor().callWhenRunning([&driver, options] { driver.reactor().stop(options); });
}

/// A connection in which the server's close waits for ever.
struct StuckPair {
    explicit StuckPair(Driver& driver) : scene(driver), port(scene.listen()) {
        scene.connectPair(*port);
        scene.server->first().transport->registerProducer(producer);
    }

    Scene scene;
    EndlessProducer producer;
    std::shared_ptr<ListeningPort> port;
};

/// Stops once the reactor runs, with an hour to drain, and calls `f` when the drain has begun: a host may be late.
class OnceDraining {
public:
    OnceDraining(Driver& driver, StuckPair& stuck, std::function<void()> f)
        : looking_(driver.reactor(), [this, &stuck, f = std::move(f)] {
              if (stuck.port->isListening())
                  return;
              looking_.stop();
              f();
          }) {
        driver.reactor().callWhenRunning([this, &reactor = driver.reactor()] {
            reactor.stop({.drain = 1h});
            looking_.start(1ms).detach();
        });
    }

private:
    LoopingCall looking_;
};

} // namespace

CONFORMANCE_CASE("drain: a close that waits for its producer finishes when that is done, and run() returns then") {
    StuckPair stuck(driver);
    RecordingProtocol& server = stuck.scene.server->first();
    driver.reactor().callWhenRunning([&] {
        driver.reactor().stop({.drain = 1h});
        driver.reactor().callLater(1ms, [&] {
            CHECK_FALSE(server.lost());
            server.transport->write("the last word"); // a producer's
            server.transport->unregisterProducer();
        });
    });
    runReactor(driver);
    CHECK(server.reason.check<ConnectionDone>());
    CHECK(stuck.scene.client->first().reason.check<ConnectionDone>());
}

REAL_CASE("drain: a closing connection goes on sending until all has arrived") {
    Scene scene(driver);
    RawClient client(scene.listen()->getHost());
    scene.server->onBuild = [&](RecordingProtocol& protocol) {
        protocol.onMade = [&] {
            protocol.transport->write(std::string(kSize, 'x'));
            driver.reactor().stop({.drain = 1h});
        };
    };
    std::size_t received = 0;
    std::function<void()> poll = [&] {
        received += client.read().size();
        if (client.end() == EAGAIN) {
            driver.reactor().callLater(1ms, poll);
        } else {
            client.close();
        }
    };
    client.connect();
    driver.reactor().callLater(1ms, poll);
    runReactor(driver);
    CHECK(received == kSize);
    CHECK(scene.server->first().reason.check<ConnectionDone>());
}

CONFORMANCE_CASE("drain: open connections are asked to close, and hear ConnectionDone") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.connectPair(*port);
    stopOnceRunning(driver, {.drain = 1h});
    runReactor(driver);
    CHECK(scene.server->first().reason.check<ConnectionDone>());
    CHECK(scene.client->first().reason.check<ConnectionDone>());
    CHECK(scene.client->losses.size() == 1);
    CHECK(scene.log.count("server factory stopped") == 1);
    CHECK(scene.log.count("client factory stopped") == 1);
}

CONFORMANCE_CASE("drain: what does not finish in time is cut, and each hears it once") {
    StuckPair stuck(driver);
    const TimePoint before = driver.reactor().now();
    stopOnceRunning(driver, {.drain = 20ms});
    runReactor(driver);
    CHECK(driver.reactor().now() - before >= 20ms);
    CHECK(stuck.producer.stopped);
    CHECK(stuck.scene.server->first().lostCount == 1);
    CHECK(stuck.scene.server->first().reason.check<ConnectionLost>());
    CHECK(stuck.scene.client->first().lostCount == 1);
}

CONFORMANCE_CASE("drain: listening ends when it begins, so that new clients are refused") {
    StuckPair stuck(driver);
    Scene late(driver);
    late.client->onFailed = [&](Connector&) { stuck.scene.server->first().transport->unregisterProducer(); };
    OnceDraining draining(driver, stuck, [&] { late.connect(*stuck.port); });
    runReactor(driver);
    REQUIRE(late.client->failures.size() == 1);
    CHECK(late.client->failures[0].check<ConnectionRefusedError>());
    CHECK(stuck.scene.server->first().reason.check<ConnectionDone>());
}

CONFORMANCE_CASE("drain: attempts that are under way are cancelled") {
    Scene scene(driver);
    scriptNames(driver).setSilent("silent.example");
    driver.reactor().connectTCP("silent.example", 1, scene.client, {.timeout = std::nullopt});
    stopOnceRunning(driver, {.drain = 1h});
    runReactor(driver);
    REQUIRE(scene.client->failures.size() == 1);
    CHECK(scene.client->failures[0].check<CancelledError>());
}

CONFORMANCE_CASE("drain: an attempt that begins during it is not waited for, and is cancelled when the others ended") {
    StuckPair stuck(driver);
    Scene late(driver);
    scriptNames(driver).setSilent("silent.example");
    bool wasStillTrying = false;
    OnceDraining draining(driver, stuck, [&] {
        driver.reactor().connectTCP("silent.example", 1, late.client, {.timeout = std::nullopt});
        driver.reactor().callLater(4ms, [&] {
            wasStillTrying = late.client->failures.empty();
            stuck.scene.server->first().transport->unregisterProducer();
        });
    });
    runReactor(driver);
    CHECK(wasStillTrying);
    REQUIRE(late.client->failures.size() == 1);
    CHECK(late.client->failures[0].check<CancelledError>());
    CHECK(stuck.scene.server->first().reason.check<ConnectionDone>());
}

CONFORMANCE_CASE("drain: a connection that a client makes again during it is not waited for, and is cut at the end") {
    Scene elsewhere(driver); // a server of another program would not stop to listen
    Scene scene(driver);
    StuckPair stuck(driver);
    const auto port = scene.listen();
    scene.connectPair(*port);
    std::shared_ptr<ListeningPort> next;
    bool again = true;
    scene.client->onLost = [&](Connector&) {
        if (!std::exchange(again, false))
            return;
        next = elsewhere.listen();
        elsewhere.connect(*next);
        driver.reactor().callLater(20ms, [&] { stuck.scene.server->first().transport->unregisterProducer(); });
    };
    stopOnceRunning(driver, {.drain = 1h});
    runReactor(driver);
    CHECK(stuck.scene.server->first().reason.check<ConnectionDone>());
    REQUIRE(elsewhere.client->protocols.size() == 1);
    CHECK(elsewhere.client->first().lostCount == 1);
    CHECK(elsewhere.client->first().reason.check<ConnectionLost>());
    CHECK_FALSE(next->isListening());
}

CONFORMANCE_CASE("drain: with nothing open there is nothing to wait for") {
    stopOnceRunning(driver, {.drain = 1h});
    runReactor(driver);
    CHECK_FALSE(nextCall(driver).has_value());
}

CONFORMANCE_CASE("drain: triggers of the phases come before and after it") {
    StuckPair stuck(driver);
    Reactor& reactor = driver.reactor();
    int phase = 0;
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [&] {
        CHECK(phase++ == 0);
        CHECK_FALSE(stuck.scene.server->first().transport->isDisconnecting());
    });
    reactor.addSystemEventTrigger(EventPhase::During, SystemEvent::Shutdown, [&] {
        CHECK(phase++ == 1);
        CHECK(stuck.scene.server->first().lost());
    });
    stopOnceRunning(driver, {.drain = 5ms});
    runReactor(driver);
    CHECK(phase == 2);
}

CONFORMANCE_CASE("drain: a negative time is refused, and stop() can be called again") {
    Reactor& reactor = driver.reactor();
    reactor.callWhenRunning([&] {
        CHECK_THROWS_AS(reactor.stop({.drain = -1ms}), std::invalid_argument);
        reactor.stop();
    });
    runReactor(driver);
}

CONFORMANCE_CASE("S-124: after a crash in the middle of a drain the reactor runs on with what is open") {
    StuckPair stuck(driver);
    Reactor& reactor = driver.reactor();
    reactor.callWhenRunning([&] {
        reactor.stop({.drain = 40ms});
        reactor.callLater(0ms, [&] { reactor.crash(); });
    });
    runReactor(driver);
    CHECK_FALSE(stuck.scene.server->first().lost());
    reactor.callLater(80ms, [&] { reactor.crash(); }); // later than the end of the first drain
    runReactor(driver);
    CHECK_FALSE(stuck.scene.server->first().lost());
    stopOnceRunning(driver);
    runReactor(driver);
    CHECK(stuck.scene.server->first().lostCount == 1);
}

CONFORMANCE_CASE("without drain a connection with nothing to send hears ConnectionLost, once, on either side") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.connectPair(*port);
    stopOnceRunning(driver);
    runReactor(driver);
    CHECK(scene.server->first().lostCount == 1);
    CHECK(scene.server->first().reason.check<ConnectionLost>());
    CHECK(scene.client->first().lostCount == 1);
}

REAL_CASE("without drain what was just written is sent once, and the peer sees an orderly end") {
    Scene scene(driver);
    RawClient client(scene.listen()->getHost());
    scene.server->onBuild = [&](RecordingProtocol& protocol) {
        protocol.onMade = [&] {
            protocol.transport->write("goodbye");
            driver.reactor().stop();
        };
    };
    client.connect();
    runReactor(driver);
    CHECK(client.read() == "goodbye");
    CHECK(client.end() == 0);
}

REAL_CASE("without drain a connection with bytes that cannot be sent is reset") {
    Scene scene(driver);
    RawClient client(scene.listen()->getHost());
    scene.server->onBuild = [&](RecordingProtocol& protocol) {
        protocol.onMade = [&] {
            protocol.transport->write(std::string(kSize, 'x'));
            driver.reactor().stop();
        };
    };
    client.connect();
    runReactor(driver);
    CHECK(client.read().size() < kSize);
    CHECK(client.end() == ECONNRESET);
}

REAL_CASE("drain: a peer that does not read is cut at the end of it") {
    Scene scene(driver);
    RawClient client(scene.listen()->getHost());
    scene.server->onBuild = [&](RecordingProtocol& protocol) {
        protocol.onMade = [&] {
            protocol.transport->write(std::string(kSize, 'x'));
            driver.reactor().stop({.drain = 20ms});
        };
    };
    client.connect();
    runReactor(driver);
    CHECK(scene.server->first().reason.check<ConnectionLost>());
    CHECK(client.read().size() < kSize);
    CHECK(client.end() == ECONNRESET);
}
