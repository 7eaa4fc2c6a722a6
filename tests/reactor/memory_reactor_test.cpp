#include "support/log_capture.hpp"

#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/protocol.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using testing::MemoryLimits;
using testing::MemoryNetwork;
using testing::MemoryReactor;
using testing::Operation;

namespace {

class Echo : public Protocol {
    void dataReceived(std::string_view data) override { transport->write(data); }
};

// Keeps what it hears; lives as long as its owner or its connection.
class Keeper : public Protocol {
public:
    std::string received;
    std::vector<std::string> events;
    Failure reason;
    std::function<void(Keeper&)> onMade;

    void connectionMade() override {
        events.emplace_back("made");
        if (onMade)
            onMade(*this);
    }
    void dataReceived(std::string_view data) override { received += data; }
    void connectionLost(const Failure& why) override {
        events.push_back("lost " + why.name());
        reason = why;
    }
    bool lost() const { return static_cast<bool>(reason); }
};

class KeeperFactory : public ClientFactory {
public:
    std::shared_ptr<Keeper> keeper = std::make_shared<Keeper>();
    Failure failed;

    KeeperFactory() { noisy = false; }
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return keeper; }
    void clientConnectionFailed(const std::shared_ptr<Connector>&, const Failure& reason) override { failed = reason; }
};

template <class P>
std::shared_ptr<Factory> quietly() {
    auto factory = Factory::forProtocol<P>();
    factory->noisy = false;
    return factory;
}

std::shared_ptr<KeeperFactory> keeperFactory() {
    return std::make_shared<KeeperFactory>();
}

// The failure of an attempt to connect.
Failure failureOf(MemoryReactor& reactor, std::string_view host, int port, const ConnectOptions& options = {}) {
    auto factory = keeperFactory();
    reactor.connectTCP(host, port, factory, options);
    CHECK(reactor.runUntil([&] { return static_cast<bool>(factory->failed); }));
    return factory->failed;
}

int listenError(MemoryReactor& reactor, int port, const ListenOptions& options = {}) {
    try {
        reactor.listenTCP(port, quietly<Echo>(), options);
        return 0;
    } catch (const CannotListenError& error) {
        return error.code();
    }
}

std::string text(std::size_t size) {
    std::string result;
    for (std::size_t i = 0; result.size() < size; ++i)
        result += std::to_string(i) + ",";
    return result.substr(0, size);
}

} // namespace

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

TEST_CASE("MemoryReactor: names are those that the test tells") {
    MemoryReactor reactor;
    const auto port = reactor.listenTCP(80, quietly<Echo>());
    reactor.names().setAddresses("web.example", {"127.0.0.1"}, 3s);
    const TimePoint began = reactor.now();
    auto factory = keeperFactory();
    reactor.connectTCP("web.example", 80, factory);
    CHECK(reactor.runUntil([&] { return !factory->keeper->events.empty(); }));
    CHECK(reactor.now() - began == 3s);
    CHECK(failureOf(reactor, "unknown.example", 80).check<DNSLookupError>());
    reactor.names().setFailure("bad.example", Failure::of<DNSLookupError>("the zone is broken"));
    CHECK(failureOf(reactor, "bad.example", 80).getErrorMessage().find("the zone is broken") != std::string::npos);
    reactor.names().setSilent("slow.example");
    CHECK(failureOf(reactor, "slow.example", 80, {.timeout = 5s}).check<TimeoutError>());
    const std::vector<std::string> asked{"web.example", "unknown.example", "bad.example", "slow.example"};
    CHECK(reactor.names().asked() == asked);
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

TEST_CASE("MemoryReactor: a scenario ends well or with one failure, whichever operation fails") {
    const test::LogCapture log;
    const std::string sent = text(200'000);
    bool through = false;
    for (std::uint64_t n = 1; n < 200 && !through; ++n) {
        INFO("failing operation: ", n);
        MemoryReactor reactor;
        reactor.faults().failNth(Operation::Any, n, n % 2 == 0 ? ECONNRESET : ENOBUFS);
        auto client = keeperFactory();
        client->keeper->onMade = [&](Keeper& keeper) {
            keeper.transport->write(sent);
            keeper.transport->loseConnection();
        };
        auto server = keeperFactory();
        try {
            reactor.listenTCP(80, server);
        } catch (const CannotListenError&) {
            CHECK(n == 1);
            continue;
        }
        reactor.connectTCP("127.0.0.1", 80, client);
        CHECK(reactor.runUntil([&] { return client->failed || client->keeper->lost(); }));
        CHECK(reactor.runUntil([&] { return server->keeper->events.empty() || server->keeper->lost(); }));
        reactor.settle();
        CHECK(client->keeper->events.size() + (client->failed ? 2 : 0) == 2);
        const bool whole = server->keeper->received == sent;
        const bool part = sent.starts_with(server->keeper->received);
        CHECK(part);
        through = !reactor.faults().isWaiting(Operation::Any) ? false : whole;
    }
    CHECK(through);
}

TEST_CASE("MemoryReactor: a send that would block is no error") {
    MemoryReactor reactor;
    reactor.listenTCP(80, quietly<Echo>());
    auto factory = keeperFactory();
    factory->keeper->onMade = [](Keeper& keeper) { keeper.transport->write("hello"); };
    reactor.faults().failNth(Operation::Send, 1, EAGAIN);
    reactor.connectTCP("127.0.0.1", 80, factory);
    reactor.settle();
    CHECK(factory->keeper->received == "hello");
    CHECK_FALSE(reactor.faults().isWaiting(Operation::Send));
}

TEST_CASE("MemoryReactor: without descriptors connections are turned away, and the next ones served") {
    MemoryReactor reactor;
    reactor.listenTCP(80, quietly<Echo>());
    reactor.faults().failNth(Operation::Accept, 1, EMFILE);
    auto refused = keeperFactory();
    auto served = keeperFactory();
    reactor.connectTCP("127.0.0.1", 80, refused);
    reactor.connectTCP("127.0.0.1", 80, served);
    reactor.settle();
    CHECK(reactor.stats().connectionsRefused == 1);
    CHECK(refused->keeper->reason.check<ConnectionDone>());
    CHECK_FALSE(served->keeper->lost());
}

TEST_CASE("MemoryReactor: faults of listening and connecting have their errors") {
    MemoryReactor reactor;
    reactor.faults().failNth(Operation::Listen, 1, EACCES);
    CHECK(listenError(reactor, 80) == EACCES);
    CHECK(listenError(reactor, 80) == 0);
    reactor.faults().failNth(Operation::Connect, 1, ETIMEDOUT);
    CHECK(failureOf(reactor, "127.0.0.1", 80).check<TCPTimedOutError>());
    CHECK_THROWS_AS(reactor.faults().failNth(Operation::Send, 0, EPIPE), std::invalid_argument);
    CHECK_THROWS_AS(reactor.faults().failNth(Operation::Send, 1, 0), std::invalid_argument);
}

TEST_CASE("MemoryReactor: time stands still until it is moved, and calls are made at their times (U9)") {
    MemoryReactor reactor;
    const TimePoint began = reactor.now();
    const auto wallBegan = reactor.wall();
    std::vector<std::pair<Duration, int>> calls;
    auto note = [&](int which) { calls.emplace_back(reactor.now() - began, which); };
    reactor.callLater(2s, [&] { note(2); });
    reactor.callLater(1s, [&] {
        note(1);
        reactor.callLater(500ms, [&] { note(3); });
    });
    reactor.settle();
    CHECK(calls.empty());
    reactor.advance(10s);
    const std::vector<std::pair<Duration, int>> expected{{1s, 1}, {1500ms, 3}, {2s, 2}};
    CHECK((calls == expected));
    CHECK(reactor.now() - began == 10s);
    CHECK(reactor.wall() - wallBegan == 10s);
    CHECK_THROWS_AS(reactor.advance(-1s), std::invalid_argument);
}

TEST_CASE("MemoryReactor: runUntil says when nothing is left to happen, or the time is over") {
    MemoryReactor reactor;
    CHECK_FALSE(reactor.runUntil([] { return false; }));
    bool called = false;
    reactor.callLater(10s, [&] { called = true; });
    CHECK_FALSE(reactor.runUntil([&] { return called; }, 9s));
    CHECK(reactor.runUntil([&] { return called; }, 10s));
}

TEST_CASE("MemoryReactor: iterate waits in the network's time, and not beyond the next call") {
    MemoryReactor reactor;
    const TimePoint began = reactor.now();
    reactor.iterate(1s);
    CHECK(reactor.now() - began == 1s);
    reactor.callLater(1s, [] {});
    reactor.iterate(1min);
    CHECK(reactor.now() - began == 2s);
}

TEST_CASE("MemoryReactor: run() jumps from call to call until stop()") {
    MemoryReactor reactor;
    const TimePoint began = reactor.now();
    reactor.callLater(24h, [&] { reactor.stop(); });
    reactor.run();
    CHECK(reactor.now() - began == 24h);
}

TEST_CASE("MemoryReactor: run() waits for other threads, but not for ever") {
    const test::LogCapture log;
    MemoryReactor reactor({.maxIdle = 10s});
    std::thread thread([remote = reactor.remote(), &reactor] { remote.post([&reactor] { reactor.stop(); }); });
    reactor.run();
    thread.join();
    CHECK(log.count() == 0);
    MemoryReactor alone({.maxIdle = 0ms});
    alone.run();
    CHECK(log.contains("nothing left to do"));
}

TEST_CASE("MemoryReactor: two reactors talk over the network that they share") {
    auto network = std::make_shared<MemoryNetwork>();
    MemoryReactor server(network);
    auto client = std::make_unique<MemoryReactor>(network);
    auto serverSide = keeperFactory();
    server.listenTCP(80, serverSide);
    auto factory = keeperFactory();
    factory->keeper->onMade = [](Keeper& keeper) { keeper.transport->write("hello"); };
    client->connectTCP("127.0.0.1", 80, factory);
    network->settle();
    CHECK(serverSide->keeper->received == "hello");
    serverSide->keeper->transport->write("welcome");
    network->settle();
    CHECK(factory->keeper->received == "welcome");
    client.reset();
    CHECK(factory->keeper->lost());
    network->settle();
    CHECK(serverSide->keeper->reason.check<ConnectionDone>());
}

TEST_CASE("MemoryReactor: run() of one reactor lets the others of its network run, too") {
    auto network = std::make_shared<MemoryNetwork>();
    MemoryReactor server(network);
    MemoryReactor client(network);
    server.listenTCP(80, quietly<Echo>());
    class Stopper : public Protocol {
        void connectionMade() override { transport->write("hello"); }
        void dataReceived(std::string_view) override { transport->reactor().stop(); }
    };
    auto factory = ClientFactory::forProtocol<Stopper>();
    factory->noisy = false;
    client.connectTCP("127.0.0.1", 80, factory);
    client.run();
    CHECK(client.stats().connectionsLost == 1);
}

TEST_CASE("S-31: a close lingers while bytes are not acknowledged, and 2 s when they are") {
    struct Case {
        std::size_t bytes;
        Duration ends;
    };
    // Half of the 64 KiB under way are the receiver's, who acknowledges them unread.
    for (const Case& each : {Case{10'000, 2s}, Case{50'000, 30s}}) {
        MemoryReactor reactor;
        auto server = keeperFactory();
        server->keeper->onMade = [&](Keeper& keeper) {
            keeper.transport->write(std::string(each.bytes, 'x'));
            keeper.transport->loseConnection();
        };
        reactor.listenTCP(80, server);
        auto client = keeperFactory();
        client->keeper->onMade = [](Keeper& keeper) { keeper.transport->pauseProducing(); };
        const TimePoint began = reactor.now();
        reactor.connectTCP("127.0.0.1", 80, client);
        CHECK(reactor.runUntil([&] { return server->keeper->lost(); }));
        CHECK(reactor.now() - began == each.ends);
        CHECK(server->keeper->reason.check<ConnectionDone>());
        client->keeper->transport->resumeProducing();
        reactor.settle();
        CHECK(client->keeper->received.size() == each.bytes);
        CHECK(client->keeper->reason.check<ConnectionDone>());
    }
}
