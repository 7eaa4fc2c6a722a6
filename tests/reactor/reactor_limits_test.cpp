// What all connections of a reactor may take together.

#include "support/hooked_protocol.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/raw_socket.hpp"
#include "support/run_until.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/testing/fault_injector.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;
using testing::MemoryReactor;
using testing::Operation;

namespace {

constexpr std::size_t kMuch = 100'000;

/// Connections to one server on a MemoryReactor, in the order of their making.
struct Crowd {
    explicit Crowd(std::size_t size) {
        reactor.listenTCP(80, HookedFactory::make({.build = [this] {
                              servers.push_back(std::make_shared<HookedProtocol>());
                              return servers.back();
                          }}));
        for (std::size_t i = 0; i < size; ++i) {
            // What the server closes the client does not.
            clients.push_back(std::make_shared<HookedProtocol>(ProtocolHooks{.readLost = [](HookedProtocol&) {}}));
            reactor.connectTCP("127.0.0.1", 80, HookedFactory::of(clients.back()));
            reactor.settle();
        }
        REQUIRE(servers.size() == size);
    }

    MemoryReactor reactor;
    std::vector<std::shared_ptr<HookedProtocol>> servers;
    std::vector<std::shared_ptr<HookedProtocol>> clients;
};

} // namespace

TEST_CASE("beyond the limit of lingering connections the oldest is closed, said once; what was sent arrives") {
    LogCapture log;
    Crowd crowd(5);
    crowd.reactor.setLimits({.lingering = 2});
    for (const auto& server : crowd.servers) {
        server->transport->write(std::string(20'000, 'x'));
        server->transport->loseConnection();
    }
    crowd.reactor.settle();
    CHECK(crowd.reactor.stats().lingering == 2);
    CHECK(crowd.reactor.stats().lingersCut == 3);
    CHECK(log.count(spdlog::level::warn) == 1);
    CHECK(log.contains("more than 2 closed connections wait for their peers"));
    for (std::size_t i = 0; i < crowd.servers.size(); ++i) {
        CAPTURE(i);
        CHECK(crowd.servers[i]->record->lost == (i < 3 ? 1 : 0));
        CHECK(crowd.clients[i]->record->received.size() == 20'000);
        CHECK(crowd.clients[i]->record->readLost == 1);
    }
    CHECK(crowd.servers[0]->record->reason.check<ConnectionDone>());
    CHECK(crowd.reactor.stats().droppedBytes == 0);
}

TEST_CASE("S-31: connections that are cut while they linger lose nothing that was sent, on real sockets") {
    LogCapture quiet;
    constexpr std::size_t kPeers = 8;
    const std::string text(kMuch, 'x');
    for (const Dispatch dispatch : kDispatches) {
        UvReactor reactor(ReactorOptions{.dispatch = dispatch});
        reactor.setLimits({.lingering = 1});
        const auto port =
            reactor.listenTCP(0,
                              HookedFactory::make({.build =
                                                       [&] {
                                                           return std::make_shared<HookedProtocol>(
                                                               ProtocolHooks{.made = [&](HookedProtocol& self) {
                                                                   self.transport->write(text);
                                                                   self.transport->loseConnection();
                                                               }});
                                                       }}),
                              {.interface = "127.0.0.1"});
        std::vector<RawSocket> peers;
        for (std::size_t i = 0; i < kPeers; ++i)
            peers.push_back(RawSocket::connectTo(port->getHost().port()));
        CHECK(runUntil(reactor, [&] { return reactor.stats().lingersCut == kPeers - 1; }));
        for (RawSocket& peer : peers) { // they read only now
            std::string received;
            CHECK(runUntil(reactor, [&] {
                received += peer.receive();
                return peer.finished();
            }));
            CHECK(peer.error() == 0);
            CHECK(received.size() == text.size());
        }
    }
}

TEST_CASE(
    "beyond the limit of buffered bytes a connection that is above its own mark and writes is aborted, no other") {
    Crowd crowd(3);
    for (const auto& client : crowd.clients)
        client->transport->pauseProducing();
    for (const auto& server : crowd.servers)
        server->transport->write(std::string(3 * kMuch, 'x'));
    crowd.reactor.settle();
    const std::size_t buffered = crowd.reactor.stats().bufferedBytes;
    CHECK(buffered > 3 * kMuch);
    crowd.clients[2]->transport->resumeProducing(); // takes all
    crowd.reactor.settle();
    CHECK(crowd.servers[2]->transport->bufferedBytes() == 0);

    crowd.reactor.setLimits({.bufferedBytes = kMuch});
    crowd.servers[2]->transport->write("a connection that its peer reads may write");
    crowd.servers[0]->transport->write("one that is behind may not");
    crowd.reactor.settle();
    CHECK(crowd.servers[0]->record->lost == 1);
    CHECK(crowd.servers[0]->record->reason.check<WriteLimitError>());
    CHECK(crowd.servers[0]->record->reason.getErrorMessage().find("more than the limit of 100000") !=
          std::string::npos);
    CHECK(crowd.servers[1]->record->lost == 0); // it has not written
    CHECK(crowd.servers[2]->record->lost == 0);
    CHECK(crowd.clients[2]->record->received.ends_with("may write"));
}

TEST_CASE("writeSequence of many pieces sends nothing after a gap") {
    Crowd crowd(1);
    const std::string piece(100, 'x');
    const std::vector<std::string_view> pieces(126, piece); // more than one system call takes
    crowd.reactor.faults().failNth(Operation::Send, 1, EPERM);
    crowd.servers[0]->transport->writeSequence(pieces);
    crowd.reactor.settle();
    CHECK(crowd.clients[0]->record->received.empty());
    CHECK(crowd.reactor.faults().count(Operation::Send) == 1);
    CHECK(crowd.reactor.stats().droppedBytes == pieces.size() * piece.size());
    crowd.clients[0]->transport->loseConnection();
    crowd.reactor.advance(1h);
    CHECK(crowd.servers[0]->record->lost == 1);
    CHECK(crowd.servers[0]->record->reason.code() == EPERM);
}
