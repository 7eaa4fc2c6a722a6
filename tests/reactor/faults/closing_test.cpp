// No byte that was written before loseConnection() is lost, and nothing lingers for ever.

#include "support/hooked_protocol.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/raw_socket.hpp"
#include "support/run_until.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

constexpr std::size_t kMuch = 5'000'000;

/// A text in which a missing or doubled piece shows.
std::string numbered(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; text.size() < size; ++i)
        text += std::to_string(i) + ' ';
    text.resize(size);
    return text;
}

} // namespace

TEST_CASE("S-31, A24: 5 MB written before loseConnection arrive, though unread input is queued") {
    const std::string much = numbered(kMuch);
    for (const Dispatch dispatch : kDispatches) {
        UvReactor reactor(ReactorOptions{.dispatch = dispatch});
        const auto protocol = std::make_shared<HookedProtocol>(HookedProtocol::Hooks{.made = [&](HookedProtocol& self) {
            self.transport->pauseProducing();
            self.transport->write(much);
            self.transport->loseConnection();
        }});
        const auto record = protocol->record;
        const auto port = reactor.listenTCP(0, HookedFactory::of(protocol), {.interface = "127.0.0.1"});
        RawSocket peer = RawSocket::connectTo(port->getHost().port());
        peer.send(std::string(100'000, 'u')); // unread when the close begins
        std::string received;
        CHECK(runUntil(reactor, [&] {
            peer.send("and more"); // all the time
            received += peer.receive();
            return peer.finished();
        }));
        CHECK(peer.error() == 0);
        CHECK(received.size() == much.size());
        CHECK((received == much));
        CHECK(record->received.empty()); // S-29
        peer.close();
        CHECK(runUntil(reactor, [&] { return record->lost != 0; }));
        CHECK(record->reason.check<ConnectionDone>());
        CHECK(reactor.stats().lingering == 0);
    }
}

TEST_CASE("a peer that stops reading is reset when it stalls too long, and one that never closes is left") {
    for (const std::size_t bytes : {std::size_t{0}, kMuch}) {
        CAPTURE(bytes);
        UvReactor reactor;
        const auto protocol = std::make_shared<HookedProtocol>(HookedProtocol::Hooks{.made = [&](HookedProtocol& self) {
            self.transport->write(std::string(bytes, 'x'));
            self.transport->loseConnection();
        }});
        const auto port =
            reactor.listenTCP(0, HookedFactory::of(protocol),
                              {.interface = "127.0.0.1",
                               .stream = {.close = CloseLimits{.stalled = 20ms, .quiet = 20ms, .total = 100ms}},
                               .configureSocket = useSmallBuffers});
        RawSocket peer = RawSocket::unconnected();
        peer.setBuffers(16 * 1024);
        peer.connect(port->getHost().port());
        CHECK(runUntil(reactor, [&] { return protocol->record->lost != 0; }));
        CHECK(protocol->record->reason.check<ConnectionAborted>() == (bytes != 0));
        CHECK(reactor.stats().connections == 0);
        CHECK(reactor.stats().bufferedBytes == 0);
    }
}

TEST_CASE("5 MB each way through two connections that both close: each end gets all") {
    const std::string much = numbered(kMuch);
    for (const Dispatch dispatch : kDispatches) {
        const auto writes = [&much](HookedProtocol& self) {
            self.transport->write(much);
            self.transport->loseWriteConnection();
        };
        const auto stays = [](HookedProtocol&) {};
        Link link({.made = writes, .readLost = stays}, {.made = writes, .readLost = stays}, dispatch);
        CHECK(link.untilLost());
        for (const auto& record : {link.serverRecord, link.clientRecord}) {
            CHECK((record->received == much));
            CHECK(record->reason.check<ConnectionDone>()); // S-56
            CHECK(record->readLost == 1);
            CHECK(record->writeLost == 1);
        }
    }
}

TEST_CASE("S-31: the reactor's end takes nothing of what was sent from a peer that is sending, too") {
    const std::string text = numbered(100'000);
    for (const Dispatch dispatch : kDispatches) {
        for (const bool closing : {false, true}) {
            CAPTURE(closing);
            std::optional<UvReactor> reactor(std::in_place, ReactorOptions{.dispatch = dispatch});
            const auto protocol =
                std::make_shared<HookedProtocol>(HookedProtocol::Hooks{.made = [&](HookedProtocol& self) {
                    self.transport->pauseProducing();
                    self.transport->write(text);
                    self.transport->flush();
                    if (closing)
                        self.transport->loseConnection();
                }});
            const auto record = protocol->record;
            const auto port = reactor->listenTCP(0, HookedFactory::of(protocol), {.interface = "127.0.0.1"});
            RawSocket peer = RawSocket::connectTo(port->getHost().port());
            peer.send("before the connection is taken");
            CHECK(runUntil(*reactor, [&] { return record->made != 0; }));
            REQUIRE(reactor->stats().bufferedBytes == 0); // the kernel has all of it
            peer.send("unread when the reactor ends");
            SUBCASE("by stop()") {
                reactor->callWhenRunning([&] { reactor->stop(); });
                reactor->run();
            }
            SUBCASE("by its destruction") {
                reactor.reset();
            }
            CHECK(record->lost == 1);
            UvReactor other; // only to wait
            std::string received;
            CHECK(runUntil(other, [&] {
                received += peer.receive();
                return peer.finished();
            }));
            CHECK(peer.error() == 0);
            CHECK(received.size() == text.size());
            CHECK((received == text));
        }
    }
}
