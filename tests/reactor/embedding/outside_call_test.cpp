// A host's loop inside of user code that no phase of a dispatch has called: producers that a write pauses, factories
// that start and stop, look-ups that are dropped. Stops in there are in outside_stop_test.cpp.

#include "support/hooked_producer.hpp"
#include "support/hosted.hpp"
#include "support/log_capture.hpp"
#include "support/raw_socket.hpp"

#include <reactor/errors.hpp>
#include <reactor/resolver.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

using Names = std::vector<std::string>;

/// A resolver whose look-ups never end, and open a dialog when they are dropped.
struct DroppedResolver final : Resolver {
    struct Dropped final : Lookup {
        explicit Dropped(std::function<void()> itsDialog) : dialog(std::move(itsDialog)) {}
        ~Dropped() override { dialog(); }
        std::function<void()> dialog;
    };
    std::unique_ptr<Lookup> resolve(const std::string&, std::uint16_t, AddressFamily, Callback) override {
        return std::make_unique<Dropped>(dialog);
    }
    std::function<void()> dialog;
};

std::shared_ptr<ListeningPort> listenOn(Hosted& hosted, std::shared_ptr<Factory> factory) {
    return hosted.reactor.listenTCP(0, std::move(factory), {.interface = "127.0.0.1"});
}

} // namespace

TEST_CASE("H12: a connection that ends in a dialog of pauseProducing hears of it when the write has returned") {
    for (const bool inDispatch : {false, true}) {
        Hosted hosted;
        const HostedPair pair(hosted);
        Transport& transport = *pair.client->transport;
        HookedProducer producer;
        int pauses = 0;
        int stops = 0;
        producer.pause = [&] {
            ++pauses;
            transport.abortConnection();
            hosted.settle();
            CHECK(pair.client->record->lost == 0);
            CHECK(stops == 0);
        };
        producer.stop = [&] { ++stops; };
        transport.setWriteBufferLimits({.high = 0, .low = 0});
        pair.server->transport->pauseProducing();
        if (inDispatch) { // what is buffered already pauses it in the flush phase
            transport.write(std::string(16'000'000, 'x'));
            transport.registerProducer(producer);
        } else {
            transport.registerProducer(producer);
            hosted.settle();
            transport.write(std::string(16'000'000, 'x'));
        }
        CHECK(hosted.until([&] { return pair.client->record->lost == 1; }));
        CHECK(pauses == 1);
        CHECK(stops == 1);
        CHECK(pair.client->record->reason.check<ConnectionAborted>());
    }
}

TEST_CASE("H12: a dialog in pauseProducing, after a send that failed, leaves the connection to the write") {
    for (const bool asSequence : {false, true}) {
        Hosted hosted;
        const auto server = std::make_shared<HookedProtocol>();
        const auto port = listenOn(hosted, HookedFactory::of(server));
        RawSocket peer = RawSocket::connectTo(port->getHost().port());
        REQUIRE(hosted.until([&] { return server->record->made != 0; }));
        HookedProducer producer;
        bool paused = false;
        producer.pause = [&] {
            hosted.settle();
            CHECK(server->record->lost == 0);
            paused = true;
        };
        Transport& transport = *server->transport;
        transport.registerProducer(producer);
        transport.pauseProducing(); // the reset is not read
        hosted.settle();
        peer.reset();
        const std::string large(100'000, 'x');
        if (asSequence) {
            const std::string_view pieces[] = {large, large};
            transport.writeSequence(pieces);
        } else {
            transport.write(large);
        }
        CHECK(paused);
        CHECK(hosted.until([&] { return server->record->lost == 1; }));
    }
}

TEST_CASE("H12: a connection that ends in a dialog of resumeProducing hears of it when that has returned") {
    Hosted hosted;
    const HostedPair pair(hosted);
    Transport& transport = *pair.client->transport;
    HookedProducer producer;
    bool resumed = false;
    producer.resume = [&] {
        transport.abortConnection();
        hosted.settle();
        CHECK(pair.client->record->lost == 0);
        resumed = true;
    };
    transport.setWriteBufferLimits({.high = 0, .low = 0});
    pair.server->transport->pauseProducing();
    transport.registerProducer(producer);
    transport.write(std::string(16'000'000, 'x'));
    pair.server->transport->resumeProducing();
    CHECK(hosted.until([&] { return resumed; }));
    CHECK(hosted.until([&] { return pair.client->record->lost == 1; }));
}

TEST_CASE("H12: a producer that is registered too late may open a dialog as it is stopped, in which all is told") {
    Hosted hosted;
    const HostedPair pair(hosted);
    HookedProducer producer;
    int stops = 0;
    producer.stop = [&] {
        ++stops;
        hosted.settle();
        CHECK(pair.client->record->lost == 1);
    };
    Transport& transport = *pair.client->transport;
    transport.abortConnection();
    transport.registerProducer(producer);
    CHECK(stops == 1);
}

TEST_CASE("H12: a port that is stopped in a dialog of startFactory stops when that has returned, and is over then") {
    const LogCapture log;
    {
        Hosted hosted;
        std::shared_ptr<ListeningPort> port;
        bool again = false;
        bool stopped = false;
        const auto factory = HookedFactory::make({.start = [&](HookedFactory& self) {
            if (!again)
                return;
            const int before = self.stopped;
            port->stopListening().addCallback([&] { stopped = true; }).detach();
            hosted.settle();
            CHECK_FALSE(stopped);
            CHECK(self.stopped == before);
        }});
        port = listenOn(hosted, factory);
        port->stopListening().detach();
        hosted.settle();
        again = true;
        port->startListening();
        hosted.settle();
        CHECK(stopped);
        CHECK_FALSE(port->isListening());
        CHECK(factory->started == 2);
        CHECK(factory->stopped == 2);
        CHECK(hosted.reactor.endpoints().empty());
    }
    CHECK_FALSE(log.contains("there is still open"));
}

TEST_CASE("H12: a port that is stopped in a dialog of a startFactory that throws then was never started") {
    Hosted hosted;
    std::shared_ptr<ListeningPort> port;
    bool again = false;
    bool stopped = false;
    const auto factory = HookedFactory::make({.start = [&](HookedFactory&) {
        if (!again)
            return;
        port->stopListening().addCallback([&] { stopped = true; }).detach();
        hosted.settle();
        throw std::runtime_error("no");
    }});
    port = listenOn(hosted, factory);
    port->stopListening().detach();
    hosted.settle();
    again = true;
    CHECK_THROWS_AS(port->startListening(), std::runtime_error);
    hosted.settle();
    CHECK(stopped);
    CHECK(factory->stopped == 1);
    CHECK(hosted.reactor.endpoints().empty());
    again = false;
    port->startListening();
    CHECK(port->isListening());
}

TEST_CASE("H12: in a dialog of startFactory a port takes no connection; after it, it does") {
    Hosted hosted;
    std::shared_ptr<ListeningPort> port;
    RawSocket peer;
    bool dialog = false;
    const auto factory = HookedFactory::make({.start = [&](HookedFactory& self) {
        if (!std::exchange(dialog, false))
            return;
        peer = RawSocket::connectTo(port->getHost().port());
        port->pauseAccepting();
        port->resumeAccepting();
        hosted.settle();
        CHECK(self.built == 0);
    }});
    port = listenOn(hosted, factory);
    port->stopListening().detach();
    hosted.settle();
    dialog = true;
    port->startListening();
    CHECK(hosted.until([&] { return factory->built == 1; }));
}

TEST_CASE("H12: a port that starts again in a dialog of stopFactory listens on, and who waits for the stop is told") {
    Hosted hosted;
    std::shared_ptr<ListeningPort> port;
    Names names;
    const auto factory = HookedFactory::make({.stop = [&](HookedFactory&) {
        if (!names.empty())
            return;
        names.push_back("begins");
        port->startListening();
        hosted.settle();
        names.push_back("ends");
    }});
    port = listenOn(hosted, factory);
    port->stopListening().addCallback([&] { names.push_back("told"); }).detach();
    hosted.settle();
    CHECK(names == Names{"begins", "ends", "told"});
    CHECK(port->isListening());
    const RawSocket peer = RawSocket::connectTo(port->getHost().port());
    CHECK(hosted.until([&] { return factory->built == 1; }));
}

TEST_CASE("H12: an attempt that is given up in a dialog of startFactory is told when that has returned") {
    for (const bool throws : {false, true}) {
        Hosted hosted;
        std::shared_ptr<Connector> connector;
        bool again = false;
        const auto factory = HookedFactory::make({.start = [&](HookedFactory& self) {
            if (!again)
                return;
            connector->stopConnecting();
            hosted.settle();
            CHECK(self.failures == 1); // the first
            if (throws)
                throw std::runtime_error("no");
        }});
        connector = hosted.reactor.connectTCP("127.0.0.1", RawSocket::bound().port(), factory);
        REQUIRE(hosted.until([&] { return factory->failures == 1; }));
        hosted.settle();
        REQUIRE(factory->stopped == 1);
        again = true;
        if (throws)
            CHECK_THROWS_AS(connector->connect(), std::runtime_error);
        else
            connector->connect();
        hosted.settle();
        CHECK(factory->failures == (throws ? 1 : 2));
        CHECK(factory->stopped == (throws ? 1 : 2));
        CHECK(connector->state() == Connector::State::Disconnected);
    }
}

TEST_CASE("H12: in a dialog of stopFactory a connector may connect again") {
    Hosted hosted;
    std::shared_ptr<Connector> connector;
    const RawSocket refuses = RawSocket::bound();
    const auto factory = HookedFactory::make({.stop = [&](HookedFactory& self) {
        if (self.stopped != 1)
            return;
        connector->connect();
        hosted.settle();
        CHECK(self.failures == 1);
    }});
    connector = hosted.reactor.connectTCP("127.0.0.1", refuses.port(), factory);
    CHECK(hosted.until([&] { return factory->failures == 2; }));
    hosted.settle();
    CHECK(factory->started == 2);
    CHECK(factory->stopped == 2);
}

TEST_CASE("H12: a look-up may open a dialog as it is dropped: the attempt is over there, and told after it") {
    for (const bool again : {false, true}) {
        Hosted hosted;
        auto owned = std::make_unique<DroppedResolver>();
        DroppedResolver& resolver = *owned;
        hosted.reactor.setResolver(std::move(owned));
        const auto factory = HookedFactory::make();
        std::shared_ptr<Connector> connector;
        int dialogs = 0;
        resolver.dialog = [&] {
            if (++dialogs != 1)
                return;
            CHECK(connector->state() == Connector::State::Disconnected);
            CHECK_THROWS_AS(connector->stopConnecting(), NotConnectingError);
            if (again) {
                connector->connect();
                connector->stopConnecting();
            }
            hosted.settle();
            CHECK(factory->failures == 0);
        };
        connector = hosted.reactor.connectTCP("name.example", 9, factory);
        connector->stopConnecting();
        hosted.settle();
        CHECK(dialogs == (again ? 2 : 1));
        CHECK(factory->failures == (again ? 2 : 1));
        CHECK(factory->stopped == 1);
    }
}
