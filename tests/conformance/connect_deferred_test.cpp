// Connecting and listening as Deferreds.

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "conformance/scene.hpp"

#include <reactor/connect.hpp>
#include <reactor/errors.hpp>
#include <reactor/reactor.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

/// What became of a Deferred of connecting.
template <class P>
struct Connected {
    std::shared_ptr<P> protocol;
    Failure failure;

    explicit Connected(Deferred<std::shared_ptr<P>> deferred) {
        std::move(deferred)
            .addBoth([this](Result<std::shared_ptr<P>> result) {
                if (result) {
                    protocol = *result;
                } else {
                    failure = result.failure();
                }
            })
            .detach();
    }
    Connected(const Connected&) = delete;
    Connected& operator=(const Connected&) = delete;
    bool done() const { return protocol || failure; }
};

int portOf(const ListeningPort& port) {
    return port.getHost().port();
}

} // namespace

CONFORMANCE_CASE("O1: connectProtocol fires with the protocol, once that has heard connectionMade") {
    Scene scene(driver);
    const auto port = scene.listen();
    auto protocol = std::make_shared<RecordingProtocol>("client", scene.events);
    Connected<RecordingProtocol> connected(
        connectProtocol(driver.reactor(), driver.loopback(), portOf(*port), protocol).addCallback([&](auto made) {
            scene.log.add("fired");
            made->transport->write("one, ");
            made->transport->write("two");
            CHECK(made->transport->bufferedBytes() == 8); // corked, as in connectionMade
            return made;
        }));
    CHECK_FALSE(connected.done());
    driver.runUntil([&] { return connected.done(); });
    CHECK(connected.protocol == protocol);
    CHECK(scene.log.inOrder("client made", "fired"));
    driver.runUntil([&] { return !scene.server->protocols.empty() && scene.server->first().received == "one, two"; });
}

CONFORMANCE_CASE("O2: connecting that fails fails the Deferred") {
    Scene scene(driver);
    Connected<RecordingProtocol> connected(
        connectProtocol(driver.reactor(), driver.loopback(), scene.closedPort(),
                        std::make_shared<RecordingProtocol>("client", scene.events)));
    driver.runUntil([&] { return connected.done(); });
    CHECK(connected.failure.check<ConnectionRefusedError>());
}

CONFORMANCE_CASE("O3, F18: cancelling stops the connecting, at once with CancelledError; nothing is connected later") {
    Scene scene(driver);
    const auto port = scene.listen();
    auto protocol = std::make_shared<RecordingProtocol>("client", scene.events);
    auto deferred = connectProtocol(driver.reactor(), driver.loopback(), portOf(*port), protocol);
    deferred.cancel();
    Connected<RecordingProtocol> connected(std::move(deferred));
    CHECK(connected.failure.check<CancelledError>());
    driver.turns();
    CHECK_FALSE(protocol->made);
    CHECK(driver.reactor().endpoints().size() == 1); // the port
}

CONFORMANCE_CASE("a time limit on connecting gives a TimeoutError") {
    Scene scene(driver);
    scriptNames(driver).setSilent("silent.example");
    Connected<RecordingProtocol> connected(connectProtocol(driver.reactor(), "silent.example", 80,
                                                           std::make_shared<RecordingProtocol>("client", scene.events))
                                               .addTimeout(5ms, driver.reactor()));
    driver.runUntil([&] { return connected.done(); });
    CHECK(connected.failure.check<TimeoutError>());
    CHECK(driver.reactor().endpoints().empty());
}

CONFORMANCE_CASE("O7, O8: what buildProtocol throws is the failure, and NoProtocol when it gives none") {
    Scene scene(driver);
    const auto port = scene.listen();
    Connected<Protocol> refused(
        connectFactory(driver.reactor(), driver.loopback(), portOf(*port),
                       Factory::fromFunction([](const Address&) { return std::shared_ptr<Protocol>(); })));
    driver.runUntil([&] { return refused.done(); });
    CHECK(refused.failure.check<NoProtocol>());

    Connected<Protocol> thrown(
        connectFactory(driver.reactor(), driver.loopback(), portOf(*port),
                       Factory::fromFunction([](const Address&) -> std::shared_ptr<Protocol> { throw Bug(); })));
    driver.runUntil([&] { return thrown.done(); });
    CHECK(thrown.failure.check<Bug>());
}

CONFORMANCE_CASE("connectFactory starts and stops the factory, which is the protocol's") {
    Scene scene(driver);
    const auto port = scene.listen();
    auto factory = std::make_shared<SceneServerFactory>("other", scene.events);
    Connected<Protocol> connected(connectFactory(driver.reactor(), driver.loopback(), portOf(*port), factory));
    driver.runUntil([&] { return connected.done(); });
    CHECK(connected.protocol->factory == factory.get());
    CHECK(factory->peers.at(0).port() == portOf(*port));
    connected.protocol->transport->loseConnection();
    driver.runUntil([&] { return scene.log.count("other factory stopped") == 1; });
    CHECK(scene.log.inOrder("other factory started", "other made"));
    CHECK(scene.log.inOrder("other lost ConnectionDone", "other factory stopped"));
}

CONFORMANCE_CASE("a connection that connectionMade ends fails the Deferred with the reason") {
    Scene scene(driver);
    const auto port = scene.listen();
    auto protocol = std::make_shared<RecordingProtocol>("client", scene.events);
    protocol->onMade = [&] { protocol->transport->abortConnection(); };
    Connected<RecordingProtocol> connected(
        connectProtocol(driver.reactor(), driver.loopback(), portOf(*port), protocol));
    driver.runUntil([&] { return connected.done(); });
    CHECK(connected.failure.check<ConnectionAborted>());
    protocol->forgetOrders();
}

CONFORMANCE_CASE("F19: cancelling while connectionMade runs closes the connection, which nobody would have") {
    Scene scene(driver);
    const auto port = scene.listen();
    auto protocol = std::make_shared<RecordingProtocol>("client", scene.events);
    auto deferred = connectProtocol(driver.reactor(), driver.loopback(), portOf(*port), protocol);
    protocol->onMade = [canceller = deferred.canceller()] { canceller.cancel(); };
    Connected<RecordingProtocol> connected(std::move(deferred));
    driver.runUntil([&] { return scene.log.count("client lost ConnectionDone") == 1; });
    CHECK(connected.failure.check<CancelledError>());
    CHECK(scene.log.count("client made") == 1);
    protocol->forgetOrders();
}

CONFORMANCE_CASE("the reactor's end fails who connects with CancelledError") {
    Scene scene(driver);
    const auto port = scene.listen();
    Connected<RecordingProtocol> connected(
        connectProtocol(driver.reactor(), driver.loopback(), portOf(*port),
                        std::make_shared<RecordingProtocol>("client", scene.events)));
    driver.destroyReactor();
    CHECK(connected.failure.check<CancelledError>());
}

CONFORMANCE_CASE("O5, O6: listenFactory has the port, or CannotListenError") {
    Scene scene(driver);
    Deferred<std::shared_ptr<ListeningPort>> listening =
        listenFactory(driver.reactor(), 0, scene.server, {.interface = driver.loopback()});
    REQUIRE(listening.hasResult());
    std::shared_ptr<ListeningPort> port;
    Failure failure;
    std::move(listening).addCallback([&](std::shared_ptr<ListeningPort> made) { port = std::move(made); }).detach();
    REQUIRE(port);
    CHECK(port->isListening());
    listenFactory(driver.reactor(), portOf(*port), scene.server, {.interface = driver.loopback()})
        .addCallback([](const std::shared_ptr<ListeningPort>&) {})
        .addErrback([&](const Failure& why) { failure = why; })
        .detach();
    CHECK(failure.check<CannotListenError>());
}
