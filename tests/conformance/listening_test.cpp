// Acceptance E: listening ports and their factories. What happens to accepted connections is in accepting_test.cpp.

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "conformance/scene.hpp"
#include "support/log_capture.hpp"

#include <reactor/errors.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace torsion;
using namespace torsion::test;

CONFORMANCE_CASE("E1 (S-78): listening on port 0 gives a port with a number of its own, known at once") {
    Scene scene(driver);
    const auto port = scene.listen();
    CHECK(port->isListening());
    CHECK(port->getHost().port() != 0);
    CHECK(port->factory() == scene.server);
    CHECK(&port->reactor() == &driver.reactor());
}

CONFORMANCE_CASE("E2 (S-82): when stopListening's Deferred has fired the same port can be bound again") {
    Scene scene(driver);
    const auto port = scene.listen();
    const Outcome stopped(port->stopListening());
    CHECK_FALSE(port->isListening());
    CHECK_FALSE(stopped.fired());
    driver.runUntil([&] { return stopped.fired(); });
    CHECK_FALSE(stopped.failure());
    const auto again = scene.listen(port->getHost().port());
    CHECK(again->getHost() == port->getHost());
}

CONFORMANCE_CASE("E3 (S-83): a stopped port can be started again, on the same number, and clients connect") {
    Scene scene(driver);
    const auto port = scene.listen();
    const Address host = port->getHost();
    const Outcome stopped(port->stopListening());
    driver.runUntil([&] { return stopped.fired(); });
    port->startListening();
    CHECK(port->isListening());
    CHECK(port->getHost() == host);
    scene.connectPair(*port);
    CHECK(scene.log.count("server factory started") == 2);
}

CONFORMANCE_CASE("E4 (S-68): stopListening's Deferred fails with what stopFactory throws") {
    Scene scene(driver);
    scene.server->onStop = [] { throw Bug(); };
    const auto port = scene.listen();
    const Outcome stopped(port->stopListening());
    driver.runUntil([&] { return stopped.fired(); });
    CHECK(stopped.failure().check<Bug>());
}

CONFORMANCE_CASE("E5 (S-68): a port whose stopFactory threw can be started again") {
    Scene scene(driver);
    scene.server->onStop = [] { throw Bug(); };
    const auto port = scene.listen();
    const Outcome stopped(port->stopListening());
    driver.runUntil([&] { return stopped.fired(); });
    scene.server->onStop = nullptr;
    port->startListening();
    scene.connectPair(*port);
    const Outcome stoppedAgain(port->stopListening());
    driver.runUntil([&] { return stoppedAgain.fired(); });
    CHECK_FALSE(stoppedAgain.failure());
}

CONFORMANCE_CASE("E6 (S-84, S-85): a port that is closed by the reactor's end needs nobody who waits for it") {
    Scene scene(driver);
    const auto port = scene.listen();
    driver.destroyReactor();
    CHECK_FALSE(port->isListening());
    CHECK(scene.log.count("server factory stopped") == 1);
}

CONFORMANCE_CASE(
    "E7 (S-78): a port that was asked to be 0 is listed with its real number, and so are its connections") {
    Scene scene(driver);
    const auto port = scene.listen();
    scene.connectPair(*port);
    const std::string host = port->getHost().toString();
    int named = 0;
    for (const Endpoint& endpoint : driver.reactor().endpoints())
        named += endpoint.host.toString() == host ? 1 : 0;
    CHECK(named == 2); // the port, and the server's end
}

CONFORMANCE_CASE("E8 (S-80): a factory on three ports is started once, and stopped when the last one closes") {
    Scene scene(driver);
    const auto first = scene.listen();
    const auto second = scene.listen();
    const auto third = scene.listen();
    CHECK(scene.log.count("server factory started") == 1);
    const Outcome stoppedFirst(first->stopListening());
    const Outcome stoppedSecond(second->stopListening());
    driver.runUntil([&] { return stoppedFirst.fired() && stoppedSecond.fired(); });
    CHECK(scene.log.count("server factory stopped") == 0);
    const Outcome stoppedThird(third->stopListening());
    driver.runUntil([&] { return stoppedThird.fired(); });
    CHECK(scene.log.count("server factory started") == 1);
    CHECK(scene.log.count("server factory stopped") == 1);
}

CONFORMANCE_CASE("E9 (S-80): a client's factory is started at the attempt and stopped at its end") {
    Scene scene(driver);
    const auto connector = scene.connect(scene.closedPort());
    CHECK(scene.log.count("client factory started") == 1);
    CHECK(scene.log.count("client factory stopped") == 0);
    driver.runUntil([&] { return scene.log.count("client factory stopped") == 1; });
    CHECK(scene.log.inOrder("client factory failed ConnectionRefusedError", "client factory stopped"));
}

CONFORMANCE_CASE("E10 (S-77): an occupied port is refused inside listenTCP, before the factory is started") {
    Scene scene(driver);
    const auto port = scene.listen();
    Scene other(driver);
    try {
        other.listen(port->getHost().port());
        FAIL("listened on an occupied port");
    } catch (const CannotListenError& error) {
        CHECK(std::string(error.what()).find(std::to_string(port->getHost().port())) != std::string::npos);
    }
    CHECK(other.log.events().empty());
}

CONFORMANCE_CASE("E11, U6 (S-79): without an interface a port listens on all IPv4 addresses") {
    Scene scene(driver);
    const auto port = driver.reactor().listenTCP(0, scene.server);
    CHECK(port->getHost().host() == "0.0.0.0");
}

CONFORMANCE_CASE("E12 (S-79): getHost has the interface's family, and its address") {
    Scene scene(driver);
    const auto port = scene.listen();
    CHECK(port->getHost().isIPv6() == driver.isIPv6());
    CHECK(port->getHost().host() == driver.loopback());
}

CONFORMANCE_CASE("E20 (S-92): starting to listen is logged with the factory and the address") {
    const LogCapture log;
    Scene scene(driver);
    scene.server->noisy = true;
    const auto port = scene.listen();
    CHECK(log.contains("SceneserverFactory starting on " + port->getHost().toString()));
}

CONFORMANCE_CASE("E21 (S-92): a port's end is logged with its number") {
    const LogCapture log;
    Scene scene(driver);
    scene.server->noisy = true;
    const auto port = scene.listen();
    const Outcome stopped(port->stopListening());
    driver.runUntil([&] { return stopped.fired(); });
    CHECK(log.contains("(TCP Port " + std::to_string(port->getHost().port()) + " Closed)"));
}

CONFORMANCE_CASE("S-92: a factory that is not noisy has nothing logged") {
    const LogCapture log;
    Scene scene(driver);
    const auto port = scene.listen();
    const Outcome stopped(port->stopListening());
    driver.runUntil([&] { return stopped.fired(); });
    CHECK(log.count() == 0);
}

CONFORMANCE_CASE("S-82: stopListening on a port that does not listen has fired already") {
    Scene scene(driver);
    const auto port = scene.listen();
    const Outcome stopped(port->stopListening());
    driver.runUntil([&] { return stopped.fired(); });
    const Outcome again(port->stopListening());
    CHECK(again.fired());
    CHECK_FALSE(again.failure());
    CHECK(scene.log.count("server factory stopped") == 1);
}

CONFORMANCE_CASE("S-82: every stopListening of one end is told of it, after stopFactory") {
    Scene scene(driver);
    const auto port = scene.listen();
    int told = 0;
    for (int i = 0; i < 2; ++i) {
        port->stopListening()
            .addCallback([&] {
                ++told;
                CHECK(scene.log.count("server factory stopped") == 1);
            })
            .detach();
    }
    driver.runUntil([&] { return told == 2; });
    CHECK(scene.log.count("server factory stopped") == 1);
}

CONFORMANCE_CASE("S-83: a port may be started again from inside stopListening's Deferred") {
    Scene scene(driver);
    const auto port = scene.listen();
    port->stopListening().addCallback([&] { port->startListening(); }).detach();
    driver.runUntil([&] { return port->isListening(); });
    scene.connectPair(*port);
}

CONFORMANCE_CASE("S-83: startListening does nothing while the port listens") {
    Scene scene(driver);
    const auto port = scene.listen();
    port->startListening();
    CHECK(scene.log.count("server factory started") == 1);
    scene.connectPair(*port);
}

CONFORMANCE_CASE("S-83: a port may be started again before its end was told") {
    Scene scene(driver);
    const auto port = scene.listen();
    const Outcome stopped(port->stopListening());
    port->startListening();
    driver.runUntil([&] { return stopped.fired(); });
    CHECK(port->isListening());
    scene.connectPair(*port);
}

CONFORMANCE_CASE("S-77: what startFactory throws comes out of listenTCP, and nothing listens") {
    Scene scene(driver);
    const int number = scene.freePort();
    scene.server->onStart = [] { throw Bug(); };
    CHECK_THROWS_AS(scene.listen(number), Bug);
    CHECK(driver.reactor().endpoints().empty());
    scene.server->onStart = nullptr;
    const auto port = scene.listen(number);
    scene.connectPair(*port);
}

CONFORMANCE_CASE("S-83: a port that startFactory stops and starts again listens on, and its factory has started once") {
    Scene scene(driver);
    const auto port = scene.listen();
    const Outcome first(port->stopListening());
    driver.runUntil([&] { return first.fired(); });
    std::optional<Outcome> second;
    scene.server->onStart = [&] {
        second.emplace(port->stopListening());
        port->startListening();
        CHECK(port->isListening());
    };
    port->startListening();
    driver.runUntil([&] { return second->fired(); });
    CHECK(port->isListening());
    CHECK(scene.log.count("server factory started") == 2);
    CHECK(scene.log.count("server factory stopped") == 1);
    scene.connectPair(*port);
    const Outcome third(port->stopListening());
    driver.runUntil([&] { return third.fired(); });
    CHECK(scene.log.count("server factory stopped") == 2);
}

CONFORMANCE_CASE("S-77: a startFactory that has started its port again and then throws leaves nothing that listens") {
    for (const bool startsAgain : {true, false}) {
        Scene scene(driver);
        const auto port = scene.listen();
        const Outcome first(port->stopListening());
        driver.runUntil([&] { return first.fired(); });
        const std::size_t open = driver.reactor().endpoints().size();
        std::optional<Outcome> second;
        scene.server->onStart = [&] {
            for (int i = 0; i < 3; ++i) {
                port->startListening();
                second.emplace(port->stopListening());
            }
            if (startsAgain)
                port->startListening();
            throw Bug();
        };
        CHECK_THROWS_AS(port->startListening(), Bug);
        CHECK_FALSE(port->isListening());
        driver.runUntil([&] { return second->fired(); });
        CHECK(driver.reactor().endpoints().size() == open);
        CHECK(scene.log.count("server factory stopped") == 1); // what has not started is not stopped
        scene.server->onStart = nullptr;
        port->startListening();
        scene.connectPair(*port);
        CHECK(scene.log.count("server factory started") == 3);
    }
}

CONFORMANCE_CASE("S-77: a port that is no number of a port, and options that can never work, are refused at once") {
    Scene scene(driver);
    CHECK_THROWS_AS(scene.listen(-1), std::invalid_argument);
    CHECK_THROWS_AS(scene.listen(65536), std::invalid_argument);
    CHECK_THROWS_AS(scene.listen(0, {.backlog = 0}), std::invalid_argument);
    CHECK_THROWS_AS(scene.listen(0, {.acceptBudget = 0}), std::invalid_argument);
    CHECK_THROWS_AS(scene.listen(0, {.interface = "no address"}), InvalidAddressError);
    CHECK_THROWS_AS(driver.reactor().listenTCP(0, nullptr), std::invalid_argument);
    CHECK(scene.log.events().empty());
}

CONFORMANCE_CASE("a port listens on when nobody holds its handle") {
    Scene scene(driver);
    const int number = scene.listen()->getHost().port();
    driver.turns();
    scene.connect(number);
    driver.runUntil([&] { return !scene.server->protocols.empty() && scene.server->first().made; });
}
