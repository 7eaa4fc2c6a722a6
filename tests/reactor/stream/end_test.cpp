// How streams begin, end and are destroyed.

#include "stream_pair.hpp"

#include "support/log_capture.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

TEST_CASE("close() sends what was written, and fires when the peer has closed too") {
    StreamPair pair;
    CHECK(resultOf(pair->write("goodbye")) == "ok");
    Deferred<void> closed = pair->close();
    Deferred<void> again = pair->close();
    CHECK(pair.sent() == "goodbye");
    CHECK(pair.peer->events == "end ");
    CHECK_FALSE(closed.hasResult());
    pair.peer->transport->loseConnection();
    pair.reactor.settle();
    CHECK(pair.peer->events == "end lost ConnectionDone");
    CHECK(resultOf(std::move(closed)) == "ok");
    CHECK(resultOf(std::move(again)) == "ok");
    CHECK(resultOf(pair->close()) == "ok");
}

TEST_CASE("close() does not wait for a peer that never closes longer than CloseLimits say") {
    StreamPair pair;
    Deferred<void> closed = pair->close();
    pair.reactor.settle();
    CHECK_FALSE(closed.hasResult());
    pair.reactor.advance(CloseLimits{}.quiet);
    CHECK(resultOf(std::move(closed)) == "ok");
}

TEST_CASE("close() fails with the reason when the connection breaks before it is closed") {
    StreamPair pair;
    Deferred<void> waiting = fill(pair);
    Deferred<void> closed = pair->close();
    Deferred<void> impatient = pair->close();
    impatient.cancel();
    CHECK(resultOf(std::move(impatient)) == "CancelledError");
    CHECK_FALSE(closed.hasResult());
    pair.receiveReset();
    CHECK(resultOf(std::move(closed)) == "ConnectionLost");
    CHECK(resultOf(std::move(waiting)) == "ConnectionLost");
    CHECK(resultOf(pair->close()) == "ConnectionLost");
}

TEST_CASE("close() fails the read that waits, and what was not read is dropped") {
    StreamPair pair;
    Deferred<std::string> line = pair->readUntil("\n");
    pair.receive("half");
    Deferred<void> closed = pair->close();
    CHECK(resultOf(std::move(line)) == "ConnectionDone");
    CHECK(resultOf(pair->readSome()) == "ConnectionDone");
    CHECK(resultOf(pair->readAll(10)) == "ConnectionDone");
    CHECK(resultOf(pair->write("late")) == "ConnectionDone");
    pair.receive("more");
    pair.peer->transport->loseConnection();
    pair.reactor.settle();
    CHECK(resultOf(std::move(closed)) == "ok");
    CHECK(resultOf(pair->readSome()) == "ConnectionDone");
}

TEST_CASE("close() lets a write that waits succeed once everything is sent") {
    StreamPair pair;
    Deferred<void> waiting = fill(pair);
    Deferred<void> closed = pair->close();
    pair.peer->transport->resumeProducing();
    pair.peer->transport->loseConnection();
    pair.reactor.settle();
    CHECK(resultOf(std::move(waiting)) == "ok");
    CHECK(resultOf(std::move(closed)) == "ok");
}

TEST_CASE("abort() resets the connection; what waits fails with ConnectionAborted in a later phase") {
    StreamPair pair;
    Deferred<void> waiting = fill(pair);
    Deferred<std::string> line = pair->readUntil("\n");
    pair->abort();
    CHECK_FALSE(line.hasResult());
    pair.reactor.settle();
    CHECK(resultOf(std::move(line)) == "ConnectionAborted");
    CHECK(resultOf(std::move(waiting)) == "ConnectionAborted");
    CHECK(resultOf(pair->close()) == "ConnectionAborted");
    CHECK(pair.peer->events == "lost ConnectionLost");
    pair->abort();
}

TEST_CASE("a stream that is destroyed closes in order: what was written goes out, what waits fails") {
    StreamPair pair;
    CHECK(resultOf(pair->write("last words")) == "ok");
    Deferred<std::string> line = pair->readUntil("\n");
    pair.stream.reset();
    CHECK(resultOf(std::move(line)) == "ConnectionDone");
    CHECK(pair.sent() == "last words");
    CHECK(pair.peer->events == "end ");
    pair.peer->transport->loseConnection();
    pair.reactor.settle();
    CHECK(pair.peer->events == "end lost ConnectionDone");
    CHECK(pair.reactor.stats().connections == 0);
}

TEST_CASE("a stream may be destroyed by who is resumed with what it read") {
    StreamPair pair;
    std::string line;
    pair->readUntil("\n")
        .addCallback([&](std::string text) {
            line = std::move(text);
            pair.stream.reset();
        })
        .detach();
    pair.receive("bye\nmore");
    CHECK(line == "bye");
    CHECK(pair.peer->events == "end ");
}

TEST_CASE("a moved stream is the same connection; the one that was there before is closed") {
    StreamPair first;
    StreamPair second;
    Deferred<std::string> line = second->readUntil("\n");
    *first = std::move(*second);
    first.reactor.settle();
    CHECK(first.peer->events == "end ");
    second.receive("moved\n");
    CHECK(valueOf(std::move(line)) == "moved");
    CHECK(first->getPeer() == second.peer->transport->getHost());
    CHECK_THROWS_AS(second->readSome().detach(), NotConnectedError);
    CHECK_THROWS_AS(second->getPeer(), NotConnectedError);
    first.stream.reset();
}

TEST_CASE("the addresses are known after the end, too") {
    StreamPair pair;
    const Address peer = pair->getPeer();
    const Address host = pair->getHost();
    CHECK(peer.port() == pair.port->getHost().port());
    CHECK(host == pair.peer->transport->getPeer());
    CHECK(&pair->transport().reactor() == &pair->reactor());
    pair.receiveReset();
    CHECK(pair->getPeer() == peer);
    CHECK(pair->getHost() == host);
    CHECK(&pair->transport() == &Transport::null());
    CHECK(&pair->reactor() == &pair.reactor);
}

TEST_CASE("connectStream fails and is cancelled as connecting is, and a stream that nobody takes is closed") {
    testing::MemoryReactor reactor;
    auto peer = std::make_shared<Peer>();
    const auto port = reactor.listenTCP(0, factoryOf(peer));
    Trace trace;
    traceResult(connectStream(reactor, "127.0.0.1", 1), trace);
    reactor.settle();
    CHECK(trace == Trace{"ConnectionRefusedError"});

    const auto other = reactor.listenTCP(0, factoryOf(std::make_shared<Peer>()));
    Deferred<Stream> cancelled = connectStream(reactor, "127.0.0.1", other->getHost().port());
    cancelled.cancel();
    CHECK(resultOf(std::move(cancelled)) == "CancelledError");

    connectStream(reactor, "127.0.0.1", port->getHost().port()).detach();
    reactor.settle();
    CHECK(peer->events == "end ");
}

TEST_CASE("what waits when the reactor is destroyed fails; the stream may outlive it") {
    std::optional<Stream> stream;
    Trace trace;
    {
        testing::MemoryReactor reactor;
        auto peer = std::make_shared<Peer>();
        const auto port = reactor.listenTCP(0, factoryOf(peer));
        connectStream(reactor, "127.0.0.1", port->getHost().port())
            .addCallback([&](Stream made) { stream.emplace(std::move(made)); })
            .detach();
        reactor.settle();
        traceResult(stream->readUntil("\n"), trace);
        CHECK(trace.empty());
    }
    CHECK(trace.size() == 1);
    CHECK(resultOf(stream->write("x")) == trace[0]);
    CHECK(resultOf(stream->drain()) == trace[0]);
    CHECK(stream->getPeer().host() == "127.0.0.1");
    stream->shutdownWrite();
    stream.reset();
}
