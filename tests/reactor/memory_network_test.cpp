#include <reactor/memory_reactor_support.hpp>

#include <reactor/testing/memory_network.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;
using testing::MemoryLimits;
using testing::MemoryNetwork;
using testing::MemoryReactor;

TEST_CASE("MemoryReactor: ports are taken from 49152 on, for listening and for connecting, in both families") {
    MemoryReactor reactor;
    const auto four = reactor.listenTCP(0, quietly<Echo>(), {.interface = "127.0.0.1"});
    const auto six = reactor.listenTCP(0, quietly<Echo>(), {.interface = "::1"});
    CHECK(four->getHost().toString() == "127.0.0.1:49152");
    CHECK(six->getHost().toString() == "[::1]:49153");
    auto factory = keeperFactory();
    reactor.connectTCP("::1", 49153, factory);
    reactor.settle();
    CHECK(factory->keeper->transport->getHost().toString() == "[::1]:49154");
    CHECK(factory->keeper->transport->getPeer() == six->getHost());
}

TEST_CASE("MemoryReactor: a port in use cannot be listened on, until it is stopped (S-77)") {
    MemoryReactor reactor;
    const auto port = reactor.listenTCP(80, quietly<Echo>(), {.interface = "127.0.0.1"});
    CHECK(listenError(reactor, 80, {.interface = "127.0.0.1"}) == EADDRINUSE);
    CHECK(listenError(reactor, 80) == EADDRINUSE);
    CHECK(listenError(reactor, 80, {.interface = "::"}) == EADDRINUSE);
    CHECK(listenError(reactor, 80, {.interface = "::", .dualStack = false}) == 0);
    CHECK(listenError(reactor, 81, {.interface = "127.0.0.1"}) == 0);
    port->stopListening().detach();
    CHECK(listenError(reactor, 80, {.interface = "127.0.0.1"}) == 0);
}

TEST_CASE("MemoryReactor: addresses that are not ours cannot be listened on") {
    MemoryReactor reactor;
    CHECK(listenError(reactor, 80, {.interface = "192.0.2.1"}) == EADDRNOTAVAIL);
    reactor.network().setRoute("192.0.2.1", MemoryNetwork::Route::Up);
    CHECK(listenError(reactor, 80, {.interface = "192.0.2.1"}) == 0);
    auto factory = keeperFactory();
    reactor.connectTCP("192.0.2.1", 80, factory);
    reactor.settle();
    CHECK(factory->keeper->events == std::vector<std::string>{"made"});
}

TEST_CASE("MemoryReactor: connecting to a port where nobody listens is refused") {
    MemoryReactor reactor;
    const Failure failure = failureOf(reactor, "127.0.0.1", 9);
    CHECK(failure.check<ConnectionRefusedError>());
    CHECK(failure.code() == ECONNREFUSED);
}

TEST_CASE("MemoryReactor: hosts can be unreachable, or silent until the time is over") {
    MemoryReactor reactor;
    CHECK(failureOf(reactor, "203.0.113.1", 80).check<NoRouteError>());
    reactor.network().setRoute("203.0.113.2", MemoryNetwork::Route::Silent);
    const TimePoint began = reactor.now();
    CHECK(failureOf(reactor, "203.0.113.2", 80).check<TimeoutError>());
    CHECK(reactor.now() - began == 30s);
}

TEST_CASE("MemoryReactor: a connection is made before it is accepted, up to the backlog; the next one waits") {
    MemoryReactor reactor;
    const auto port = reactor.listenTCP(80, quietly<Echo>(), {.backlog = 1});
    port->pauseAccepting();
    std::vector<std::shared_ptr<KeeperFactory>> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(keeperFactory());
        reactor.connectTCP("127.0.0.1", 80, clients.back());
    }
    reactor.settle();
    CHECK(clients[0]->keeper->events.size() == 1);
    CHECK(clients[1]->keeper->events.size() == 1); // as Linux has it: one more than was asked for
    CHECK(clients[2]->keeper->events.empty());
    CHECK(port->connectionCount() == 0);
    port->resumeAccepting();
    reactor.settle();
    CHECK(clients[2]->keeper->events.size() == 1);
    CHECK(port->connectionCount() == 3);
}

TEST_CASE("MemoryReactor: connections that nobody accepted are reset when their port is closed") {
    MemoryReactor reactor;
    const auto port = reactor.listenTCP(80, quietly<Echo>());
    port->pauseAccepting();
    auto factory = keeperFactory();
    reactor.connectTCP("127.0.0.1", 80, factory);
    reactor.settle();
    port->stopListening().detach();
    reactor.settle();
    CHECK(factory->keeper->reason.check<ConnectionLost>());
    CHECK(factory->keeper->reason.code() == ECONNRESET);
}

TEST_CASE("MemoryReactor: an IPv6 wildcard sees IPv4 clients with mapped addresses, where dual stack is asked for") {
    MemoryReactor reactor;
    auto server = keeperFactory();
    reactor.listenTCP(80, server, {.interface = "::"});
    reactor.connectTCP("127.0.0.1", 80, keeperFactory());
    reactor.settle();
    CHECK(server->keeper->transport->getPeer().host() == "::ffff:127.0.0.1");
    reactor.listenTCP(81, keeperFactory(), {.interface = "::", .dualStack = false});
    CHECK(failureOf(reactor, "127.0.0.1", 81).check<ConnectionRefusedError>());
}

TEST_CASE("MemoryReactor: sockets that share a port get connections in turn") {
    MemoryReactor reactor;
    const auto first = reactor.listenTCP(80, quietly<Echo>(), {.reusePort = true});
    const auto second = reactor.listenTCP(80, quietly<Echo>(), {.reusePort = true});
    CHECK(listenError(reactor, 80) == EADDRINUSE);
    for (int i = 0; i < 4; ++i)
        reactor.connectTCP("127.0.0.1", 80, keeperFactory());
    reactor.settle();
    CHECK(first->connectionCount() == 2);
    CHECK(second->connectionCount() == 2);
}

TEST_CASE("MemoryReactor: a stream is the same however its bytes are cut") {
    const std::string sent = text(20'000);
    std::vector<MemoryLimits> all{{}, testing::byteByByte(), {.capacity = 1}, {.capacity = 777, .maxReceive = 100}};
    for (std::uint64_t seed = 1; seed <= 20; ++seed)
        all.push_back({.capacity = 1000, .cuts = seed});
    for (std::size_t i = 0; i < all.size(); ++i) {
        INFO("limits ", i); // from 4 on: seed i - 3
        MemoryReactor reactor(std::make_shared<MemoryNetwork>(all[i]));
        reactor.listenTCP(80, quietly<Echo>());
        auto factory = keeperFactory();
        factory->keeper->onMade = [&](Keeper& keeper) { keeper.transport->write(sent); };
        reactor.connectTCP("127.0.0.1", 80, factory);
        CHECK(reactor.runUntil([&] { return factory->keeper->received.size() >= sent.size(); }, 0s));
        CHECK((factory->keeper->received == sent));
    }
}

TEST_CASE("MemoryReactor: limits under which nothing could move are refused") {
    MemoryReactor reactor;
    CHECK_THROWS_AS(reactor.network().setLimits({.capacity = 0}), std::invalid_argument);
    CHECK_THROWS_AS(reactor.network().setLimits({.maxSend = 0}), std::invalid_argument);
}
