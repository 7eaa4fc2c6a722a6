#include "support/log_capture.hpp"
#include <reactor/memory_reactor_support.hpp>

#include <reactor/testing/memory_reactor.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;
using testing::MemoryNetwork;
using testing::MemoryReactor;
using testing::Operation;

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
