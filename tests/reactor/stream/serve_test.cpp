// serveStreams: handlers, how many, and how they end.

#include "stream_pair.hpp"

#include "support/log_capture.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

Deferred<void> echoLines(Stream conn) {
    for (;;) {
        std::string line = co_await conn.readUntil("\n");
        line += "!\n";
        co_await conn.write(std::move(line));
    }
}

Deferred<void> failAfterLine(Stream conn) {
    co_await conn.write("welcome");
    co_await conn.readUntil("\n");
    throw std::runtime_error("a bug");
}

Deferred<void> noteEnd(Stream conn, Trace& trace) {
    try {
        co_await conn.readUntil("\n");
    } catch (const Error& error) {
        trace.emplace_back(error.kind().name);
        throw;
    }
}

/// Holds the connection until `release` fires, and then says so.
Deferred<void> hold(Stream conn, Deferred<void> release, Trace& trace) {
    const Result<void> result = co_await asResult(std::move(release));
    trace.emplace_back(result ? "released" : "cancelled");
    if (!result)
        co_await conn.write("goodbye");
    result.value();
}

/// Clients of a port, each with a Peer.
struct Clients {
    testing::MemoryReactor reactor;
    std::shared_ptr<ListeningPort> port;
    std::vector<std::shared_ptr<Peer>> peers;

    void serve(StreamHandler handler, const ServeOptions& options = {}) {
        port = serveStreams(reactor, 0, std::move(handler), options);
    }
    Peer& connect() {
        peers.push_back(std::make_shared<Peer>());
        connectProtocol(reactor, "127.0.0.1", port->getHost().port(), peers.back()).detach();
        reactor.settle();
        return *peers.back();
    }
};

} // namespace

TEST_CASE("serveStreams calls its handler with each connection") {
    Clients clients;
    clients.serve(echoLines);
    Peer& first = clients.connect();
    Peer& second = clients.connect();
    first.transport->write("one\ntwo\n");
    second.transport->write("three\n");
    clients.reactor.settle();
    CHECK(first.received == "one!\ntwo!\n");
    CHECK(second.received == "three!\n");
}

TEST_CASE("a connection ends in order with its handler; that the peer has ended is no error") {
    const LogCapture log;
    Clients clients;
    clients.serve(echoLines);
    Peer& peer = clients.connect();
    peer.transport->write("one\nhalf");
    peer.transport->loseWriteConnection();
    clients.reactor.settle();
    CHECK(peer.received == "one!\n");
    CHECK(peer.events == "end lost ConnectionDone");
    Peer& other = clients.connect();
    other.transport->abortConnection();
    clients.reactor.settle();
    CHECK(log.count(spdlog::level::warn) == 0);
    CHECK(clients.reactor.stats().connections == 0);
}

TEST_CASE("what a handler throws is logged with the peer, and resets its connection alone") {
    const LogCapture log;
    Clients clients;
    clients.serve(failAfterLine);
    Peer& other = clients.connect();
    Peer& peer = clients.connect();
    CHECK(peer.received == "welcome");
    peer.transport->write("\n");
    const std::string name = peer.transport->getHost().toString();
    clients.reactor.settle();
    CHECK(peer.events == "lost ConnectionLost");
    CHECK(other.events.empty());
    CHECK(log.count(spdlog::level::warn) == 1);
    CHECK(log.contains("Exception in the handler of the stream with " + name));
    CHECK(log.contains("a bug"));
}

TEST_CASE("what a handler throws at once, without being a coroutine, is treated alike") {
    const LogCapture log;
    Clients clients;
    clients.serve([](const Stream&) -> Deferred<void> { throw std::runtime_error("at once"); });
    Peer& peer = clients.connect();
    CHECK(peer.events == "lost ConnectionLost");
    CHECK(log.contains("at once"));
}

TEST_CASE("a handler that fails because of another connection is reported") {
    const LogCapture log;
    Clients clients;
    clients.serve([](const Stream&) { return fail(Failure::of<ConnectionLost>()); });
    Peer& peer = clients.connect();
    CHECK(log.count(spdlog::level::err) == 1);
    CHECK(peer.events == "lost ConnectionLost");
}

TEST_CASE("a handler may give its stream away") {
    Clients clients;
    std::optional<Stream> taken;
    clients.serve([&](Stream conn) {
        taken.emplace(std::move(conn));
        return succeed();
    });
    Peer& peer = clients.connect();
    CHECK(peer.events.empty());
    CHECK(resultOf(taken->write("mine")) == "ok");
    clients.reactor.settle();
    CHECK(peer.received == "mine");
}

TEST_CASE("no more handlers run than asked for; the next connection is accepted when one has ended") {
    Trace trace;
    std::vector<Promise<void>> releases;
    Clients clients;
    clients.serve(
        [&](Stream conn) {
            releases.emplace_back();
            return hold(std::move(conn), releases.back().deferred(), trace);
        },
        {.maxHandlers = 2});
    for (int i = 0; i < 5; ++i)
        clients.connect();
    CHECK(releases.size() == 2);
    releases[1].callback();
    clients.reactor.settle();
    CHECK(releases.size() == 3);
    // The handler counts, not the connection.
    clients.peers[0]->transport->abortConnection();
    clients.reactor.settle();
    CHECK(releases.size() == 3);
    for (std::size_t i : {0U, 2U})
        releases[i].callback();
    clients.reactor.settle();
    CHECK(releases.size() == 5);
    CHECK(trace.size() == 3);
    for (std::size_t i : {3U, 4U})
        releases[i].callback();
}

TEST_CASE("a handler too many and the user's own pause both hold the port, and either may end first") {
    std::vector<Promise<void>> releases;
    Trace trace;
    Clients clients;
    clients.serve(
        [&](Stream conn) {
            releases.emplace_back();
            return hold(std::move(conn), releases.back().deferred(), trace);
        },
        {.maxHandlers = 1});
    clients.connect();
    clients.connect();
    REQUIRE(releases.size() == 1);
    SUBCASE("the handler") {
        clients.port->pauseAccepting();
        releases[0].callback();
        clients.reactor.settle();
        CHECK(releases.size() == 1);
        clients.port->resumeAccepting();
    }
    SUBCASE("the pause") {
        clients.port->pauseAccepting();
        clients.port->resumeAccepting();
        clients.reactor.settle();
        CHECK(releases.size() == 1);
        releases[0].callback();
    }
    clients.reactor.settle();
    REQUIRE(releases.size() == 2);
    releases[1].callback();
}

TEST_CASE("stopListening cancels the handlers, in order; what they still write goes out") {
    const LogCapture log;
    Trace trace;
    std::vector<Promise<void>> releases;
    Clients clients;
    clients.serve([&](Stream conn) {
        releases.emplace_back();
        return hold(std::move(conn), releases.back().deferred(), trace);
    });
    Peer& first = clients.connect();
    Peer& second = clients.connect();
    Deferred<void> stopped = clients.port->stopListening();
    CHECK(trace.empty());
    clients.reactor.settle();
    CHECK(resultOf(std::move(stopped)) == "ok");
    CHECK(trace == Trace{"cancelled", "cancelled"});
    CHECK(first.received == "goodbye");
    CHECK(first.events == "end ");
    CHECK(second.received == "goodbye");
    CHECK(log.count(spdlog::level::warn) == 0);
}

TEST_CASE("the reactor's stop and its end cancel the handlers or end their connections") {
    const LogCapture log;
    Trace trace;
    Promise<void> never;
    SUBCASE("stop") {
        Clients clients;
        clients.serve([&](Stream conn) { return hold(std::move(conn), never.deferred(), trace); });
        clients.connect();
        clients.reactor.callWhenRunning([&] { clients.reactor.stop(); });
        clients.reactor.run();
        CHECK(trace == Trace{"cancelled"});
    }
    SUBCASE("destroyed, while a handler waits for something of its own") {
        {
            Clients clients;
            clients.serve([&](Stream conn) { return hold(std::move(conn), never.deferred(), trace); });
            clients.connect();
        }
        CHECK(trace == Trace{"cancelled"});
    }
    SUBCASE("destroyed, while a handler reads") {
        {
            Clients clients;
            clients.serve([&](Stream conn) { return noteEnd(std::move(conn), trace); });
            clients.connect();
        }
        CHECK(trace.size() == 1);
    }
    CHECK(log.count(spdlog::level::warn) == 0);
}

TEST_CASE("a handler that outlives its port and its reactor keeps what it needs") {
    Trace trace;
    Promise<void> release;
    {
        Clients clients;
        clients.serve([&trace, &release](const Stream& conn) {
            trace.push_back(conn.getPeer().host());
            // Not to be cancelled.
            return release.deferred().addErrback([](const Failure&) {});
        });
        clients.connect();
    }
    CHECK(trace == Trace{"127.0.0.1"});
}

TEST_CASE("serveStreams refuses what can never work") {
    testing::MemoryReactor reactor;
    CHECK_THROWS_AS(serveStreams(reactor, 0, StreamHandler()), std::invalid_argument);
    CHECK_THROWS_AS(serveStreams(reactor, 0, echoLines, {.maxHandlers = 0}), std::invalid_argument);
    const auto port = serveStreams(reactor, 0, echoLines);
    CHECK_THROWS_AS(serveStreams(reactor, port->getHost().port(), echoLines), CannotListenError);
}
