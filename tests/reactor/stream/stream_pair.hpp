#pragma once

#include <reactor/connect.hpp>
#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/protocol.hpp>
#include <reactor/reactor.hpp>
#include <reactor/stream.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include "support/deferred_result.hpp"
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace torsion::test {

/// The other end of a stream: keeps what comes, and closes when it is told to.
class Peer : public Protocol {
public:
    std::string received;
    std::string events; ///< "end", "lost ConnectionDone", …

    void dataReceived(std::string_view data) override { received += data; }
    void readConnectionLost() override { events += "end "; }
    void connectionLost(const Failure& reason) override { events += "lost " + reason.name(); }
};

/// A factory that gives out one protocol and is not logged.
inline std::shared_ptr<Factory> factoryOf(std::shared_ptr<Protocol> protocol) {
    auto factory = Factory::fromFunction([protocol](const Address&) { return protocol; });
    factory->noisy = false;
    return factory;
}

/// A stream in memory and its peer. Nothing happens but in the functions that are called.
struct StreamPair {
    testing::MemoryReactor reactor;
    std::shared_ptr<Peer> peer = std::make_shared<Peer>();
    std::shared_ptr<ListeningPort> port = reactor.listenTCP(0, factoryOf(peer));
    std::optional<Stream> stream;

    explicit StreamPair(const ConnectOptions& options = {}) {
        connectStream(reactor, "127.0.0.1", port->getHost().port(), options)
            .addCallback([this](Stream made) { stream.emplace(std::move(made)); })
            .detach();
        reactor.settle();
        REQUIRE(stream);
    }

    Stream& operator*() { return *stream; }
    Stream* operator->() { return &*stream; }

    /// The peer sends, and it arrives as far as the stream takes it.
    void receive(std::string_view data) {
        peer->transport->write(data);
        reactor.settle();
    }
    void receiveEnd() {
        peer->transport->loseWriteConnection();
        reactor.settle();
    }
    void receiveReset() {
        peer->transport->abortConnection();
        reactor.settle();
    }

    /// What was sent to the peer so far.
    const std::string& sent() {
        reactor.settle();
        return peer->received;
    }
};

/// Fills the way to the peer, which does not read, until a write has to wait; that is the result.
inline Deferred<void> fill(StreamPair& pair) {
    pair.peer->transport->pauseProducing();
    for (int i = 0; i < 1000; ++i) {
        Deferred<void> written = pair->write(std::string(16 * 1024, 'x'));
        pair.reactor.settle();
        if (!written.hasResult())
            return written;
    }
    FAIL("the output takes everything");
    return succeed();
}

} // namespace torsion::test
