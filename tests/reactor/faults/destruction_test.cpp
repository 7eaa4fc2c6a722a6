// A reactor is destroyed with everything open.

#include "support/deferred_result.hpp"
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
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// A resolver that never answers, and knows how many look-ups it was asked for and how many were abandoned.
class SilentResolver : public Resolver {
public:
    explicit SilentResolver(std::shared_ptr<int> pending) : pending_(std::move(pending)) {}

    std::unique_ptr<Lookup> resolve(const std::string&, std::uint16_t, AddressFamily, Callback callback) override {
        return std::make_unique<Pending>(pending_, std::move(callback));
    }

private:
    struct Pending : Lookup {
        Pending(std::shared_ptr<int> itsCount, Callback itsCallback)
            : count(std::move(itsCount)), callback(std::move(itsCallback)) {
            ++*count;
        }
        ~Pending() override { --*count; }
        std::shared_ptr<int> count;
        Callback callback;
    };

    std::shared_ptr<int> pending_;
};

/// Counts what it is captured by.
using Token = std::shared_ptr<int>;

/// One of everything, open on a reactor that is about to be destroyed.
struct Everything {
    explicit Everything(Dispatch dispatch) : reactor(std::in_place, ReactorOptions{.dispatch = dispatch}) {
        reactor->setResolver(std::make_unique<SilentResolver>(lookups));
        openConnections();
        openAttempts();
        for (const Duration delay : {Duration(0s), Duration(1h)})
            timers.push_back(reactor->callLater(delay, [t = token] { ++*t; }));
        reactor->callFromThread([t = token] { ++*t; });
        reactor->callWhenRunning([t = token] { ++*t; });
        reactor->addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [t = token] { ++*t; });
        remote = reactor->remote();
    }

    // Idle, with bytes queued, lingering, paused, half-closed, about to switch: each of these.
    void openConnections() {
        const auto factory = HookedFactory::make({.build = [this] {
            const auto number = protocols.size();
            auto protocol = std::make_shared<HookedProtocol>(
                HookedProtocol::Hooks{.readLost = [](HookedProtocol&) {},
                                      .lost = [this, number](HookedProtocol&) { lostInOrder.push_back(number); }});
            protocols.push_back(protocol);
            records.push_back(protocol->record);
            return protocol;
        }});
        port = reactor->listenTCP(0, factory, {.interface = "127.0.0.1", .configureSocket = useSmallBuffers});
        for (std::size_t i = 0; i < kStates; ++i)
            peers.push_back(RawSocket::connectTo(port->getHost().port()));
        CHECK(runUntil(*reactor, [this] { return protocols.size() == kStates; }));
        protocols[1]->transport->write(std::string(5'000'000, 'x'));
        protocols[2]->transport->loseConnection();
        protocols[3]->transport->pauseProducing();
        protocols[4]->transport->loseWriteConnection();
        runTurns(*reactor, 3);
        CHECK(reactor->stats().lingering == 1);
        CHECK(reactor->stats().bufferedBytes > 0);
        protocols[5]->transport->pauseProducing();
        protocols[5]->transport->switchProtocol(next, "unparsed");
        protocols[6]->transport->write("not flushed");
    }

    void openAttempts() {
        full.connect(listener.port());
        reactor->connectTCP("name.test", 9, looking);
        reactor->connectTCP("127.0.0.1", listener.port(), connecting);
        stopping = reactor->listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1"});
        traceResult(stopping->stopListening(), stopped);
        stopped.push_back("asked");
    }

    void destroy() {
        protocols.clear();
        reactor.reset();
    }

    void checkEnd() {
        CHECK(lostInOrder == std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6});
        for (std::size_t i = 0; i < kStates; ++i) {
            CAPTURE(i);
            CHECK(records[i]->lost == 1);
            CHECK(records[i]->late == 0);
        }
        CHECK(looking->failures == 1);
        CHECK(looking->reason.check<CancelledError>());
        CHECK(connecting->failures == 1);
        CHECK(connecting->reason.check<CancelledError>());
        CHECK(looking->stopped + connecting->stopped == 2);
        CHECK(*lookups == 0);
        CHECK(stopped == Trace{"asked", "ok"});
        CHECK(token.use_count() == 1); // no call, trigger or post is left, and none was made
        CHECK(*token == 0);
        for (const DelayedCall& call : timers)
            CHECK_FALSE(call.active());
        CHECK_FALSE(remote.post([] {}));
        for (RawSocket& peer : peers) {
            for (int i = 0; i < 100 && !peer.finished(); ++i)
                static_cast<void>(peer.receive());
            CHECK(peer.finished());
        }
    }

    static constexpr std::size_t kStates = 7;

    Token token = std::make_shared<int>(0);
    std::shared_ptr<int> lookups = std::make_shared<int>(0);
    std::vector<std::shared_ptr<HookedProtocol>> protocols;
    std::vector<std::shared_ptr<Record>> records;
    std::vector<std::size_t> lostInOrder;
    std::vector<RawSocket> peers;
    RawSocket listener = RawSocket::listen();
    RawSocket full = RawSocket::unconnected();
    std::shared_ptr<HookedProtocol> next = std::make_shared<HookedProtocol>();
    std::shared_ptr<HookedFactory> looking = HookedFactory::make();
    std::shared_ptr<HookedFactory> connecting = HookedFactory::make();
    std::shared_ptr<ListeningPort> port;
    std::shared_ptr<ListeningPort> stopping;
    Trace stopped;
    std::vector<DelayedCall> timers;
    Remote remote;
    std::optional<UvReactor> reactor;
};

} // namespace

TEST_CASE("S-37: a reactor destroyed with everything open ends all of it once, in order, and frees it") {
    LogCapture quiet;
    for (const Dispatch dispatch : kDispatches) {
        const int protocols = HookedProtocol::alive;
        {
            Everything all(dispatch);
            all.destroy();
            all.checkEnd();
            // Handles may outlive their reactor.
            CHECK_FALSE(all.port->isListening());
            CHECK_FALSE(all.stopping->isListening());
        }
        CHECK(HookedProtocol::alive == protocols);
    }
}

TEST_CASE("S-124: crash() closes nothing, and the reactor can be destroyed or run after it") {
    LogCapture quiet;
    for (const Dispatch dispatch : kDispatches) {
        UvReactor* self = nullptr;
        std::optional<Link> link;
        link.emplace(HookedProtocol::Hooks{}, HookedProtocol::Hooks{}, dispatch);
        self = &link->reactor;
        for (int round = 0; round < 2; ++round) {
            self->callLater(0s, [self] { self->crash(); });
            self->run();
            CHECK_FALSE(self->isRunning());
            CHECK(link->serverRecord->lost + link->clientRecord->lost == 0);
            CHECK(link->port->isListening());
        }
        link->server->transport->write(std::string(2'000'000, 'x'));
        const auto records = std::vector{link->serverRecord, link->clientRecord};
        const auto factory = link->clientFactory;
        link.reset();
        for (const auto& record : records) {
            CHECK(record->lost == 1);
            CHECK(record->late == 0);
        }
        CHECK(factory->losses == 1);
        CHECK(factory->stopped == 1);
    }
}

TEST_CASE("a reactor destroyed by the caller of a run() that crashed in a callback loses nothing") {
    LogCapture quiet;
    for (const Dispatch dispatch : kDispatches) {
        const int protocols = HookedProtocol::alive;
        {
            std::optional<UvReactor> reactor(std::in_place, ReactorOptions{.dispatch = dispatch});
            const auto protocol =
                std::make_shared<HookedProtocol>(HookedProtocol::Hooks{.data = [](HookedProtocol& each) {
                    each.transport->write("answer");
                    each.transport->switchProtocol(std::make_shared<HookedProtocol>());
                    static_cast<UvReactor&>(each.transport->reactor()).crash();
                    each.transport->loseConnection();
                }});
            const auto port = reactor->listenTCP(0, HookedFactory::of(protocol), {.interface = "127.0.0.1"});
            RawSocket peer = RawSocket::connectTo(port->getHost().port());
            peer.send("question");
            reactor->run();
            reactor.reset();
            CHECK(peer.receive() == "answer");
            CHECK(protocol->record->made == 1);
        }
        CHECK(HookedProtocol::alive == protocols);
    }
}

TEST_CASE("a client that connects again whenever it fails or is lost does not keep a reactor from ending") {
    LogCapture quiet;
    const RawSocket listener = RawSocket::listen();
    const RawSocket nobody = RawSocket::bound();
    const auto again = [](HookedFactory&, Connector& connector) { connector.connect(); };
    const int protocols = HookedProtocol::alive;
    const int factories = HookedFactory::alive;
    {
        UvReactor reactor;
        const auto connected = HookedFactory::make({.failed = again, .lost = again});
        reactor.connectTCP("127.0.0.1", listener.port(), connected);
        reactor.connectTCP("127.0.0.1", nobody.port(), HookedFactory::make({.failed = again}));
        reactor.connectTCP("localhost", nobody.port(), HookedFactory::make({.failed = again}));
        CHECK(runUntil(reactor, [&] { return connected->built != 0; }));
    }
    CHECK(HookedProtocol::alive == protocols);
    CHECK(HookedFactory::alive == factories);
}

TEST_CASE("what connectionLost and stopFactory begin at a reactor's end is ended too") {
    LogCapture quiet;
    const int protocols = HookedProtocol::alive;
    const int factories = HookedFactory::alive;
    {
        UvReactor reactor;
        const auto begin = [&reactor](HookedProtocol&) {
            reactor.listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1"});
            reactor.connectTCP("127.0.0.1", 9, HookedFactory::make());
            reactor.callLater(0s, [] {});
            reactor.callFromThread([] {});
        };
        const auto protocol = std::make_shared<HookedProtocol>(HookedProtocol::Hooks{.lost = begin});
        const auto factory =
            HookedFactory::make({.build = [&] { return protocol; },
                                 .stop =
                                     [&reactor](HookedFactory& self) {
                                         if (self.stopped == 1)
                                             reactor.listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1"});
                                     }});
        const auto port = reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
        const RawSocket peer = RawSocket::connectTo(port->getHost().port());
        CHECK(runUntil(reactor, [&] { return protocol->record->made != 0; }));
    }
    CHECK(HookedProtocol::alive == protocols);
    CHECK(HookedFactory::alive == factories);
}

TEST_CASE("S-73: a connectionLost that throws at a reactor's end keeps no other from being told") {
    LogCapture log;
    std::vector<std::shared_ptr<Record>> records;
    {
        UvReactor reactor;
        const auto factory = HookedFactory::make({.build = [&] {
            auto protocol = std::make_shared<HookedProtocol>(
                HookedProtocol::Hooks{.lost = [](HookedProtocol&) { throw std::runtime_error("thrown by the test"); }});
            records.push_back(protocol->record);
            return protocol;
        }});
        const auto port = reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
        const RawSocket one = RawSocket::connectTo(port->getHost().port());
        const RawSocket two = RawSocket::connectTo(port->getHost().port());
        CHECK(runUntil(reactor, [&] { return records.size() == 2; }));
    }
    for (const auto& record : records)
        CHECK(record->lost == 1);
    CHECK(log.count("thrown by the test") == 2);
}

TEST_CASE("a call that is destroyed with its reactor may use the reactor") {
    LogCapture quiet;
    struct AtEnd {
        UvReactor* reactor;
        bool* called;
        AtEnd(UvReactor& itsReactor, bool& flag) : reactor(&itsReactor), called(&flag) {}
        AtEnd(AtEnd&& other) noexcept : reactor(std::exchange(other.reactor, nullptr)), called(other.called) {}
        ~AtEnd() {
            if (!reactor)
                return;
            *called = true;
            static_cast<void>(reactor->now());
            reactor->callFromThread([] {});
            reactor->callLater(1s, [] {});
        }
        void operator()() {}
    };
    bool timed = false;
    bool posted = false;
    {
        UvReactor reactor;
        reactor.callLater(1h, AtEnd(reactor, timed));
        reactor.callFromThread(AtEnd(reactor, posted));
    }
    CHECK(timed);
    CHECK(posted);
}

TEST_CASE("a reactor that is never done closing says what is left, and ends all the same") {
    LogCapture log;
    std::optional<UvReactor> reactor(std::in_place);
    int attempts = 0;
    const auto factory = HookedFactory::make({.failed = [&](HookedFactory&, Connector& connector) {
        if (++attempts < 10'000)
            connector.connect();
    }});
    reactor->setResolver(std::make_unique<SilentResolver>(std::make_shared<int>(0)));
    reactor->callWhenRunning([&] { reactor->stop(); });
    reactor->connectTCP("silent.example", 7, factory, {.timeout = std::nullopt});
    reactor->run();
    CHECK(log.count("rounds of closing") == 1);
    CHECK(log.count("silent.example:7 (connecting)") == 1);
    reactor.reset();
    CHECK(attempts < 10'000);
    CHECK(factory->stopped == 1);
}

namespace {

/// Schedules itself again as it is destroyed.
struct Undying {
    UvReactor* reactor;
    int* lives;
    Undying(UvReactor& itsReactor, int& itsLives) : reactor(&itsReactor), lives(&itsLives) {}
    Undying(Undying&& other) noexcept : reactor(std::exchange(other.reactor, nullptr)), lives(other.lives) {}
    ~Undying() {
        if (reactor && (*lives)-- > 0)
            reactor->callLater(1h, Undying(*reactor, *lives));
    }
    void operator()() const {}
};

} // namespace

TEST_CASE("a reactor says how many delayed calls it could not get rid of") {
    LogCapture log;
    int lives = 100; // as many as there are rounds
    {
        UvReactor reactor;
        reactor.callLater(1h, Undying(reactor, lives));
    }
    CHECK(log.count("still 1 delayed calls") == 1);
}

TEST_CASE("the handle of a port may outlive the reactor: it is stopped, and cannot be started again") {
    LogCapture quiet;
    std::shared_ptr<ListeningPort> port;
    const auto factory = HookedFactory::make();
    {
        UvReactor reactor;
        port = reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
    }
    CHECK_FALSE(port->isListening());
    CHECK(factory->stopped == 1);
    CHECK(port->getHost().port() != 0);
    CHECK(port->connectionCount() == 0);
    CHECK(resultOf(port->stopListening()) == "ok");
    port->pauseAccepting();
    port->resumeAccepting();
    CHECK_THROWS_AS(port->startListening(), ReactorNotRunning);
    CHECK(factory->started == 1);
}

TEST_CASE("the handle of a connector may outlive the reactor: it is disconnected, and cannot connect again") {
    LogCapture quiet;
    std::shared_ptr<Connector> pending;
    std::shared_ptr<Connector> connected;
    const auto factory = HookedFactory::make();
    {
        UvReactor reactor;
        const RawSocket listener = RawSocket::listen();
        reactor.setResolver(std::make_unique<SilentResolver>(std::make_shared<int>(0)));
        pending = reactor.connectTCP("silent.example", 7, HookedFactory::make());
        connected = reactor.connectTCP("127.0.0.1", listener.port(), factory);
        CHECK(runUntil(reactor, [&] { return factory->built != 0; }));
    }
    for (const auto& connector : {pending, connected}) {
        CHECK(connector->state() == Connector::State::Disconnected);
        CHECK_FALSE(connector->transport().isConnected());
        connector->disconnect();
        CHECK_THROWS_AS(connector->stopConnecting(), NotConnectingError);
        CHECK_THROWS_AS(connector->connect(), ReactorNotRunning);
    }
    CHECK(factory->started == 1);
    CHECK(factory->attempts == 1);
}
