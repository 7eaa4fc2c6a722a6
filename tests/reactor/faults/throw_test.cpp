// A throw out of every place where user code is called: told on one channel, and the loop goes on.

#include "support/hooked_protocol.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/raw_socket.hpp"
#include "support/run_until.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

constexpr const char* kThrown = "thrown by the test";

[[noreturn]] void fail() {
    throw std::runtime_error(kThrown);
}

struct NotAnException {};

/// The server's callback threw: it hears the exception itself, the client a reset.
void checkThrown(Link& link, LogCapture& log) {
    CHECK(link.untilLost());
    CHECK(link.server->record->reason.getErrorMessage() == kThrown);
    CHECK(link.server->record->reason.check<std::runtime_error>());
    CHECK(link.client->record->reason.check<ConnectionLost>());
    CHECK(log.count(kThrown) == 1);
    CHECK(link.reactor.stats().connections == 0);
    CHECK(link.port->isListening());
}

/// A producer whose callbacks throw when they are told to.
class ThrowingProducer : public PushProducer {
public:
    void resumeProducing() override { call(resumed, throwInResume); }
    void pauseProducing() override { call(paused, throwInPause); }
    void stopProducing() override { call(stopped, throwInStop); }

    int resumed = 0;
    int paused = 0;
    int stopped = 0;
    bool throwInResume = false;
    bool throwInPause = false;
    bool throwInStop = false;

private:
    static void call(int& counter, bool throws) {
        ++counter;
        if (throws)
            fail();
    }
};

} // namespace

TEST_CASE("S-70: a timed call that throws is logged, and the others of the same time are made") {
    LogCapture log;
    UvReactor reactor;
    std::vector<int> order;
    reactor.callLater(0s, [&] { order.push_back(1); });
    reactor.callLater(0s, [] { fail(); });
    reactor.callLater(0s, [] { throw NotAnException(); });
    reactor.callLater(0s, [&] { order.push_back(2); });
    CHECK(runUntil(reactor, [&] { return order.size() == 2; }));
    CHECK(order == std::vector<int>{1, 2});
    CHECK(log.count(kThrown) == 1);
    CHECK(log.count("timed call") == 2);
}

TEST_CASE("S-71: a call from a thread that throws is logged, and those posted behind it are made") {
    LogCapture log;
    UvReactor reactor;
    bool called = false;
    reactor.callFromThread([] { fail(); });
    reactor.callFromThread([&] { called = true; });
    CHECK(runUntil(reactor, [&] { return called; }));
    CHECK(log.count(kThrown) == 1);
}

TEST_CASE("S-72: a trigger that throws is logged, whichever its phase, and the event goes on") {
    LogCapture log;
    UvReactor reactor;
    std::vector<std::string> order;
    for (const SystemEvent event : {SystemEvent::Startup, SystemEvent::Shutdown}) {
        for (const EventPhase phase : {EventPhase::Before, EventPhase::During, EventPhase::After}) {
            reactor.addSystemEventTrigger(phase, event, [] { fail(); });
            reactor.addSystemEventTrigger(phase, event, [&order] { order.push_back("ok"); });
        }
    }
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown,
                                  [] { return Deferred<void>::fail(Failure::of<UserError>("failed by the test")); });
    reactor.callWhenRunning([] { fail(); });
    reactor.callWhenRunning([&] { reactor.stop(); });
    reactor.run();
    CHECK(order.size() == 6);
    CHECK(log.count(kThrown) == 7);
    CHECK(log.count("failed by the test") == 1);
}

TEST_CASE("S-65: a buildProtocol that throws is logged, the connection closed, and the next one served") {
    LogCapture log;
    UvReactor reactor;
    int calls = 0;
    const auto factory = HookedFactory::make({.build = [&calls]() -> std::shared_ptr<Protocol> {
        if (++calls == 1)
            fail();
        return std::make_shared<HookedProtocol>(HookedProtocol::Hooks{
            .data = [](HookedProtocol& protocol) { protocol.transport->write(protocol.record->received); }});
    }});
    const auto port = reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
    RawSocket refused = RawSocket::connectTo(port->getHost().port());
    CHECK(runUntil(reactor, [&] { return refused.receive(), refused.finished(); }));
    CHECK(log.count(kThrown) == 1);
    CHECK(log.count("buildProtocol") == 1);
    RawSocket served = RawSocket::connectTo(port->getHost().port());
    served.send("hello");
    std::string received;
    CHECK(runUntil(reactor, [&] { return (received += served.receive()) == "hello"; }));
}

TEST_CASE("S-65: a client's buildProtocol that throws fails the attempt, and says why") {
    LogCapture log;
    UvReactor reactor;
    const RawSocket listener = RawSocket::listen();
    const auto factory = HookedFactory::make({.build = []() -> std::shared_ptr<Protocol> { fail(); }});
    reactor.connectTCP("127.0.0.1", listener.port(), factory);
    CHECK(runUntil(reactor, [&] { return factory->failures + factory->losses != 0; }));
    CHECK(factory->failures == 1);
    CHECK(factory->reason.check<ConnectError>());
    CHECK(factory->reason.getErrorMessage().find(kThrown) != std::string::npos);
    CHECK(factory->reason.cause().check<std::runtime_error>());
    CHECK(factory->stopped == 1);
}

TEST_CASE("a startFactory that throws is thrown by listenTCP and connectTCP, and nothing is open or kept") {
    UvReactor reactor;
    const auto factory = HookedFactory::make({.start = [](HookedFactory&) { fail(); }});
    const std::weak_ptr<HookedFactory> alive = factory;
    const RawSocket other = RawSocket::listen();
    CHECK_THROWS_WITH(reactor.listenTCP(0, factory, {.interface = "127.0.0.1"}), kThrown);
    CHECK_THROWS_WITH(reactor.connectTCP("127.0.0.1", other.port(), factory), kThrown);
    runTurns(reactor, 3);
    CHECK(reactor.endpoints().empty());
    CHECK(factory->attempts == 0);
    CHECK(alive.use_count() == 1);
}

TEST_CASE("a factory whose start threw is started again by the next user") {
    UvReactor reactor;
    const auto factory = HookedFactory::make({.start = [](HookedFactory& self) {
        if (self.started == 1)
            fail();
    }});
    CHECK_THROWS_WITH(reactor.listenTCP(0, factory, {.interface = "127.0.0.1"}), kThrown);
    const auto port = reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
    CHECK(factory->started == 2);
    bool stopped = false;
    port->stopListening().addCallback([&] { stopped = true; }).detach();
    CHECK(runUntil(reactor, [&] { return stopped; }));
    CHECK(factory->stopped == 1);
}

TEST_CASE("S-68: a stopFactory that throws fails stopListening, and the socket is closed") {
    UvReactor reactor;
    const auto factory = HookedFactory::make({.stop = [](HookedFactory&) { fail(); }});
    const auto port = reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
    Failure failure;
    port->stopListening().addErrback([&](const Failure& reason) { failure = reason; }).detach();
    CHECK(runUntil(reactor, [&] { return static_cast<bool>(failure); }));
    CHECK(failure.getErrorMessage() == kThrown);
    CHECK_FALSE(port->isListening());
    CHECK(reactor.endpoints().empty());
    const auto again = reactor.listenTCP(port->getHost().port(), HookedFactory::make(), {.interface = "127.0.0.1"});
    CHECK(again->isListening());
}

TEST_CASE("S-67: a client factory that throws in every callback is logged, and hears the next one") {
    LogCapture log;
    UvReactor reactor;
    const auto throwing = [](HookedFactory&, Connector&) { fail(); };
    const HookedFactory::Hooks hooks{
        .stop = [](HookedFactory&) { fail(); }, .connecting = throwing, .failed = throwing, .lost = throwing};
    const RawSocket nobody = RawSocket::bound();
    const auto failing = HookedFactory::make(hooks);
    reactor.connectTCP("127.0.0.1", nobody.port(), failing);
    CHECK(runUntil(reactor, [&] { return failing->stopped != 0; }));
    CHECK(failing->failures == 1);
    CHECK(log.count(kThrown) == 3);

    log.clear();
    RawSocket listener = RawSocket::listen();
    const auto losing = HookedFactory::make(hooks);
    reactor.connectTCP("127.0.0.1", listener.port(), losing);
    CHECK(runUntil(reactor, [&] { return losing->built != 0; }));
    listener.accept().close();
    CHECK(runUntil(reactor, [&] { return losing->stopped != 0; }));
    CHECK(losing->losses == 1);
    CHECK(log.count(kThrown) == 3);
    CHECK(reactor.endpoints().empty());
}

TEST_CASE("a configureSocket that throws fails listening at once, and an attempt later; the descriptor is closed") {
    UvReactor reactor;
    const auto throwing = [](int) { fail(); };
    const auto factory = HookedFactory::make();
    CHECK_THROWS_WITH(reactor.listenTCP(0, factory, {.configureSocket = throwing}), kThrown);
    CHECK(factory->started == 0);
    const RawSocket listener = RawSocket::listen();
    reactor.connectTCP("127.0.0.1", listener.port(), factory, {.configureSocket = throwing});
    CHECK(factory->failures == 0); // never inside the call
    CHECK(runUntil(reactor, [&] { return factory->failures != 0; }));
    CHECK(factory->reason.getErrorMessage() == kThrown);
    CHECK(factory->stopped == 1);
}

TEST_CASE("S-58, S-63, S-64: what a protocol's callback throws is the reason of its loss, and the peer is reset") {
    const HookedProtocol::Hook throwing = [](HookedProtocol& protocol) {
        protocol.transport->write("discarded");
        fail();
    };
    LogCapture log;
    SUBCASE("connectionMade") {
        Link link({.made = throwing});
        checkThrown(link, log);
        CHECK(link.client->record->received.empty());
    }
    SUBCASE("dataReceived") {
        Link link({.data = throwing});
        link.client->transport->write("x");
        checkThrown(link, log);
        CHECK(link.client->record->received.empty());
    }
    SUBCASE("readConnectionLost") {
        Link link({.readLost = throwing});
        link.client->transport->loseWriteConnection();
        checkThrown(link, log);
    }
    SUBCASE("writeConnectionLost") {
        Link link({.writeLost = throwing}, {.readLost = [](HookedProtocol&) {}});
        link.server->transport->loseWriteConnection();
        checkThrown(link, log);
    }
    SUBCASE("guarded") {
        Link link;
        link.server->transport->guarded([] { fail(); });
        checkThrown(link, log);
    }
    SUBCASE("connectionMade of the protocol that was switched to") {
        Link link;
        const auto next = std::make_shared<HookedProtocol>(HookedProtocol::Hooks{.made = throwing});
        link.server->transport->switchProtocol(next);
        CHECK(runUntil(link.reactor, [&] { return next->record->lost + link.client->record->lost == 2; }));
        CHECK(next->record->reason.getErrorMessage() == kThrown);
        CHECK(link.server->record->lost == 0);
        CHECK(log.count(kThrown) == 1);
    }
    SUBCASE("dataReceived, after it aborted (S-48)") {
        Link link({.data = [](HookedProtocol& protocol) {
            protocol.transport->abortConnection();
            fail();
        }});
        link.client->transport->write("x");
        checkThrown(link, log);
    }
}

TEST_CASE("S-66: a connectionLost that throws is logged, the reason stays, and the factory hears it") {
    LogCapture log;
    Link link({}, {.lost = [](HookedProtocol&) { fail(); }});
    link.server->transport->loseConnection();
    CHECK(runUntil(link.reactor, [&] { return link.clientFactory->losses != 0; }));
    CHECK(link.clientFactory->reason.check<ConnectionDone>());
    CHECK(link.clientFactory->stopped == 1);
    CHECK(log.count(kThrown) == 1);
    CHECK(runUntil(link.reactor, [&] { return link.reactor.stats().connections == 0; }));
}

TEST_CASE("S-63: what a producer throws is the reason of its consumer's loss") {
    LogCapture log;
    ThrowingProducer producer;
    Link link;
    link.client->transport->pauseProducing();
    SUBCASE("pauseProducing") {
        producer.throwInPause = true;
        link.server->transport->registerProducer(producer);
        link.server->transport->write(std::string(1'000'000, 'x'));
        CHECK(producer.paused == 1);
        link.client->transport->resumeProducing();
        checkThrown(link, log);
    }
    SUBCASE("resumeProducing") {
        producer.throwInResume = true;
        link.server->transport->registerProducer(producer);
        link.server->transport->write(std::string(1'000'000, 'x'));
        CHECK(producer.paused == 1);
        link.client->transport->resumeProducing();
        checkThrown(link, log);
        CHECK(producer.resumed == 1);
    }
    CHECK(producer.stopped == 1);
}

TEST_CASE("S-18: a stopProducing that throws is logged, and connectionLost follows with the true reason") {
    LogCapture log;
    ThrowingProducer producer;
    producer.throwInStop = true;
    Link link;
    link.server->transport->registerProducer(producer);
    link.server->transport->abortConnection();
    CHECK(link.untilLost());
    CHECK(link.server->record->reason.check<ConnectionAborted>());
    CHECK(producer.stopped == 1);
    CHECK(log.count(kThrown) == 1);
}

TEST_CASE("what is no std::exception is a failure like any other") {
    LogCapture log;
    Link link({.data = [](HookedProtocol&) { throw NotAnException(); }});
    link.client->transport->write("x");
    CHECK(link.untilLost());
    CHECK(link.server->record->reason.check<NotAnException>());
    CHECK(log.count("Exception in") == 1);
}
