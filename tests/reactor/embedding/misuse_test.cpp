// An embedded reactor that is used wrongly: asserted or reported, never undefined.

#include "support/child.hpp"
#include "support/hosted.hpp"
#include "support/log_capture.hpp"
#include "support/raw_socket.hpp"
#include "support/skip.hpp"

#include <reactor/producer.hpp>
#include <reactor/resolver.hpp>

#include <doctest/doctest.h>

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

using Use = void (*)(Embedding&);

/// Whatever an Embedding can do, but for being asked.
const Use kUses[] = {
    [](Embedding& e) { e.timeout(); },     [](Embedding& e) { e.dispatch(); }, [](Embedding& e) { e.onChange({}); },
    [](Embedding& e) { e.onStopped({}); }, [](Embedding& e) { e.onGone({}); }, [](Embedding& e) { e.touch(); },
    [](Embedding& e) { e.afterFork(); },
};

/// A reactor that its own callbacks destroy.
struct Doomed {
    std::unique_ptr<UvReactor> reactor = std::make_unique<UvReactor>();
    Embedding embedding = reactor->embed();
    std::function<void()> destroy = [this] { reactor.reset(); };
    std::shared_ptr<HookedProtocol> server;
    std::shared_ptr<HookedProtocol> client;
    std::shared_ptr<ListeningPort> port;

    ProtocolHooks::Hook hook() {
        return [this](HookedProtocol&) { destroy(); };
    }
    void connect(ProtocolHooks hooks) {
        server = std::make_shared<HookedProtocol>(std::move(hooks));
        client = std::make_shared<HookedProtocol>();
        port = reactor->listenTCP(0, HookedFactory::of(server), {.interface = "127.0.0.1"});
        reactor->connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::of(client));
        for (int i = 0; i < 1000 && (server->record->made == 0 || client->record->made == 0); ++i)
            turn();
    }
    void connectWith(FactoryHooks hooks, int to = 9) {
        reactor->connectTCP("127.0.0.1", to, HookedFactory::make(std::move(hooks)));
    }
    void turn() { PollHost(embedding).turn({}, 10ms); }
    void turns() {
        for (int i = 0; i < 1000; ++i)
            turn();
    }
};

struct Destroying final : PushProducer, Resolver {
    explicit Destroying(std::function<void()> f) : destroy(std::move(f)) {}
    void pauseProducing() override { pauses ? destroy() : void(); }
    void resumeProducing() override { pauses ? void() : destroy(); }
    void stopProducing() override {}
    std::unique_ptr<Lookup> resolve(const std::string&, std::uint16_t, AddressFamily, Callback) override {
        destroy();
        return nullptr;
    }
    std::function<void()> destroy;
    bool pauses = true;
};

struct Ending {
    const char* where;
    void (*run)(Doomed&);
};

const Ending kEndings[] = {
    {"a timed call", [](Doomed& d) { d.reactor->callLater(0s, d.destroy); }},
    {"a call from a thread", [](Doomed& d) { d.reactor->callFromThread(d.destroy); }},
    {"a Deferred's callback", [](Doomed& d) { d.reactor->sleep(0s).addCallback(d.destroy).detach(); }},
    {"connectionMade", [](Doomed& d) { d.connect({.made = d.hook()}); }},
    {"dataReceived",
     [](Doomed& d) {
         d.connect({.data = d.hook()});
         d.client->transport->write("x");
     }},
    {"readConnectionLost",
     [](Doomed& d) {
         d.connect({.readLost = d.hook()});
         d.client->transport->loseWriteConnection();
     }},
    {"writeConnectionLost",
     [](Doomed& d) {
         d.connect({.writeLost = d.hook()});
         d.server->transport->loseWriteConnection();
     }},
    {"connectionLost",
     [](Doomed& d) {
         d.connect({.lost = d.hook()});
         d.server->transport->abortConnection();
     }},
    {"guarded, in host code", [](Doomed& d) { d.connect({}), d.server->transport->guarded(d.destroy); }},
    {"pauseProducing, in host code",
     [](Doomed& d) {
         d.connect({});
         Destroying producer(d.destroy);
         d.client->transport->pauseProducing();
         d.server->transport->registerProducer(static_cast<PushProducer&>(producer));
         d.server->transport->write(std::string(16'000'000, 'x'));
     }},
    {"resumeProducing",
     [](Doomed& d) {
         d.connect({});
         Destroying producer(d.destroy);
         producer.pauses = false;
         d.server->transport->registerProducer(static_cast<PushProducer&>(producer));
         d.server->transport->write(std::string(16'000'000, 'x'));
         d.turns();
     }},
    {"buildProtocol",
     [](Doomed& d) {
         const auto build = [&d]() -> std::shared_ptr<Protocol> {
             d.destroy();
             return nullptr;
         };
         d.port = d.reactor->listenTCP(0, HookedFactory::make({.build = build}), {.interface = "127.0.0.1"});
         const RawSocket peer = RawSocket::connectTo(d.port->getHost().port());
         d.turns();
     }},
    {"startFactory, in host code", [](Doomed& d) { d.connectWith({.start = [&](auto&) { d.destroy(); }}); }},
    {"startFactory of a port, in host code",
     [](Doomed& d) {
         d.reactor->listenTCP(0, HookedFactory::make({.start = [&](auto&) { d.destroy(); }}),
                              {.interface = "127.0.0.1"});
     }},
    {"startedConnecting, in host code",
     [](Doomed& d) { d.connectWith({.connecting = [&](auto&, auto&) { d.destroy(); }}); }},
    {"a resolver, in host code",
     [](Doomed& d) {
         d.reactor->setResolver(std::make_unique<Destroying>(d.destroy));
         d.reactor->connectTCP("name.example", 9, HookedFactory::make());
     }},
    {"configureSocket, in host code",
     [](Doomed& d) {
         const auto configure = [&](int) { d.destroy(); };
         ConnectOptions options;
         options.configureSocket = configure;
         d.reactor->connectTCP("127.0.0.1", 9, HookedFactory::make(), options);
     }},
    {"configureSocket of a port, in host code",
     [](Doomed& d) {
         const auto configure = [&](int) { d.destroy(); };
         ListenOptions options{.interface = "127.0.0.1"};
         options.configureSocket = configure;
         d.reactor->listenTCP(0, HookedFactory::make(), options);
     }},
    {"clientConnectionFailed",
     [](Doomed& d) { d.connectWith({.failed = [&](auto&, auto&) { d.destroy(); }}, RawSocket::bound().port()); }},
    {"stopFactory",
     [](Doomed& d) {
         d.port = d.reactor->listenTCP(0, HookedFactory::make({.stop = [&](auto&) { d.destroy(); }}),
                                       {.interface = "127.0.0.1"});
         d.port->stopListening().detach();
     }},
    {"a startup trigger, in host code",
     [](Doomed& d) {
         d.reactor->callWhenRunning(d.destroy);
         d.reactor->start();
     }},
    {"a shutdown trigger",
     [](Doomed& d) {
         d.reactor->addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, d.destroy);
         d.reactor->start();
         d.reactor->stop();
     }},
};

} // namespace

TEST_CASE("each function of an Embedding ends a debug build with a message on another thread") {
#ifdef NDEBUG
    support::reportSkip("debug", "assertions are compiled out");
#else
    for (std::size_t i = 0; i < std::size(kUses); ++i) {
        CAPTURE(i);
        const ChildEnd end = runInChild([i] {
            Hosted hosted;
            std::thread([&] { kUses[i](hosted.embedding()); }).join();
        });
        CHECK(end.wasAborted());
        CHECK(end.said.find("used outside its thread") != std::string::npos);
    }
#endif
}

TEST_CASE("a reactor that is destroyed in one of its own callbacks, whichever, ends the program with a message") {
    for (const Ending& ending : kEndings) {
        CAPTURE(std::string(ending.where));
        const ChildEnd end = runInChild([&ending] {
            const LogCapture quiet;
            Doomed doomed;
            ending.run(doomed);
            doomed.turns();
        });
        CHECK(end.wasAborted());
        CHECK(end.said.find("destroyed inside one of its own callbacks") != std::string::npos);
    }
}

TEST_CASE("an Embedding whose reactor is gone does nothing, on whatever thread") {
    for (const EmbedOptions& options : kEmbeddings) {
        auto hosted = std::make_unique<Hosted>(options);
        Embedding embedding = hosted->embedding();
        hosted.reset();
        for (const Use use : kUses) {
            use(embedding);
            std::thread([&] { use(embedding); }).join();
        }
        CHECK(embedding.fd() == -1);
        CHECK(embedding.reactor() == nullptr);
        CHECK(embedding.generation() == 0);
        CHECK(embedding.isSingleDescriptor() == options.singleDescriptor);
        CHECK(embedding.timesLate() == 0);
        CHECK_FALSE(embedding.timeout().has_value());
        CHECK(embedding.dispatch() == Dispatched::Stopped);
        auto held = std::make_shared<int>();
        for (int i = 0; i < 2; ++i) { // kept by nobody, so it is no second host either
            embedding.onChange([held] {});
            embedding.onGone([held] {});
            embedding.onStopped([held] {});
        }
        CHECK(held.use_count() == 1);
    }
}

TEST_CASE("a host's loop in a callback of the reactor's destruction finds it stopped, and calls nothing") {
    for (const EmbedOptions& options : kEmbeddings) {
        auto reactor = std::make_unique<UvReactor>();
        UvReactor& ending = *reactor; // also in its destruction
        Embedding embedding = reactor->embed(options);
        int lost = 0;
        int called = 0;
        int changes = 0;
        bool gone = false;
        const auto losing = [&](HookedProtocol&) {
            ++lost;
            CHECK(gone); // an adapter has left the host's loop, which would spin
            ending.callLater(0ms, [&] { ++called; });
            CHECK_FALSE(embedding.timeout().has_value());
            CHECK(embedding.dispatch() == Dispatched::Stopped);
            embedding.touch();
        };
        const auto server = std::make_shared<HookedProtocol>(ProtocolHooks{.lost = losing});
        const auto client = std::make_shared<HookedProtocol>(ProtocolHooks{.lost = losing});
        const auto port = reactor->listenTCP(0, HookedFactory::of(server), {.interface = "127.0.0.1"});
        reactor->connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::of(client));
        {
            PollHost host(embedding);
            for (int i = 0; i < 1000 && (server->record->made == 0 || client->record->made == 0); ++i)
                host.turn({}, 10ms);
        }
        embedding.onGone([&] { gone = true; });
        embedding.onChange([&] { ++changes; });
        embedding.timeout();
        changes = 0;
        reactor.reset();
        CHECK(lost == 2);
        CHECK(called == 0);
        CHECK(changes == 0);
    }
}

TEST_CASE("a poll that a signal interrupts says of none of the host's descriptors that it is ready") {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    struct sigaction before {};
    REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
    Hosted hosted;
    hosted.settle();
    const RawSocket listening = RawSocket::listen();
    pollfd watched[] = {{listening.fd(), POLLIN, POLLIN}};
    std::atomic<bool> over{false};
    std::thread interrupting([&over, host = ::pthread_self()] {
        while (!over) {
            ::pthread_kill(host, SIGUSR1);
            std::this_thread::yield();
        }
    });
    const int ready = hosted.host.turn(watched);
    over = true;
    interrupting.join();
    ::sigaction(SIGUSR1, &before, nullptr);
    CHECK(ready == 0);
    CHECK(watched[0].revents == 0);
}
