// Hosts whose loop runs inside a callback and that are not PollHost: one that is told of changes, one that watches the
// descriptor alone; and what a dialog must not break in ports, connectors and clocks.

#include "support/child.hpp"
#include "support/hosted.hpp"
#include "support/raw_socket.hpp"
#include "support/scripted_reactor.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// Turns of a host that knows nothing but the descriptor. @returns false when 20 s passed: it was not woken.
template <class F>
bool untilByDescriptor(Embedding& embedding, F&& condition) {
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > limit)
            return false;
        pollfd watched{embedding.fd(), POLLIN, 0};
        if (::poll(&watched, 1, 100) > 0)
            embedding.dispatch();
    }
    return true;
}

} // namespace

TEST_CASE("H12: after a dialog a host that asks for its time-out in onChange has nothing sent twice") {
    Hosted hosted;
    hosted.embedding().onChange([&] { hosted.embedding().timeout(); });
    std::string written;
    const auto server = std::make_shared<HookedProtocol>(ProtocolHooks{.data = [&](HookedProtocol& self) {
        for (int i = 0; written.size() < kMoreThanKernelsKeep; ++i) {
            const std::string piece(1000, static_cast<char>('a' + i % 23));
            written += piece;
            self.transport->write(piece);
        }
    }});
    ListenOptions options{.interface = "127.0.0.1"};
    options.configureSocket = limitKernelBuffers;
    const auto port = hosted.reactor.listenTCP(0, HookedFactory::of(server), options);
    RawSocket peer = RawSocket::unconnected();
    peer.setBuffers(kKernelBuffer);
    peer.connect(port->getHost().port());
    REQUIRE(hosted.until([&] { return server->record->made != 0; }));
    hosted.reactor.callLater(0ms, [&] { // and the peer's byte is read later in the same dispatch
        hosted.settle();
        CHECK(peer.send("x") == 1);
    });
    std::string seen;
    CHECK(hosted.until([&] {
        seen += peer.receive();
        return server->record->lost != 0 || (!written.empty() && seen.size() >= written.size());
    }));
    CHECK(server->record->lost == 0);
    CHECK((seen == written));
}

TEST_CASE("H2: when a callback with a dialog has returned, what the next ones begin is not told") {
    Hosted hosted;
    hosted.settle();
    int changes = 0;
    hosted.embedding().onChange([&] { ++changes; });
    bool second = false;
    hosted.reactor.callLater(0ms, [&] { hosted.embedding().timeout(); }); // the dialog's loop begins, and ends
    hosted.reactor.callLater(0ms, [&] {
        changes = 0;
        hosted.reactor.callLater(0ms, [] {});
        CHECK(changes == 0);
        second = true;
    });
    hosted.embedding().dispatch();
    CHECK(second);
    hosted.settle();
}

TEST_CASE("H2: what was begun before embed() wakes a host that has the descriptor alone") {
    UvReactor reactor;
    bool called = false;
    reactor.callLater(2ms, [&] { called = true; });
    Embedding embedding = reactor.embed({.singleDescriptor = true});
    CHECK(untilByDescriptor(embedding, [&] { return called; }));
}

TEST_CASE("H12: a dialog that asks for timeout() as it begins needs nothing but the descriptor after that") {
    Hosted hosted({.singleDescriptor = true});
    Embedding& embedding = hosted.embedding();
    RawSocket peer;
    std::string seen;
    bool posted = false;
    bool timed = false;
    const auto server = std::make_shared<HookedProtocol>(ProtocolHooks{.data = [&](HookedProtocol& self) {
        self.transport->write("please wait");
        hosted.reactor.callLater(0ms, [&] { timed = true; });
        CHECK_FALSE(embedding.timeout().has_value());
        CHECK(untilByDescriptor(embedding, [&] { return timed && (seen += peer.receive()) == "please wait"; }));
    }});
    const auto port = hosted.reactor.listenTCP(0, HookedFactory::of(server), {.interface = "127.0.0.1"});
    peer = RawSocket::connectTo(port->getHost().port());
    CHECK(peer.send("x") == 1);
    CHECK(untilByDescriptor(embedding, [&] { return seen == "please wait"; }));

    bool during = false;
    hosted.reactor.callFromThread([&] {
        embedding.timeout();
        during = untilByDescriptor(embedding, [&] { return posted; });
    });
    hosted.reactor.callFromThread([&] { posted = true; });
    CHECK(untilByDescriptor(embedding, [&] { return posted; }));
    CHECK(during);
}

TEST_CASE("what a callback begins sets the timer of a single descriptor when the dispatch ends, and not each time") {
    Hosted hosted({.singleDescriptor = true});
    const HostedPair pair(hosted, echoing());
    hosted.settle();
    bool done = false;
    hosted.reactor.callFromThread([&] {
        pair.client->transport->write("x");
        CHECK_FALSE(hosted.isReadable());
        done = true;
    });
    hosted.embedding().dispatch();
    CHECK(done);
    CHECK(untilByDescriptor(hosted.embedding(), [&] { return pair.client->record->received == "x"; }));
}

TEST_CASE("H12: an attempt that is given up in a dialog of configureSocket is told when that has returned") {
    for (const bool inDispatch : {false, true}) {
        Hosted hosted;
        Connector* connector = nullptr;
        const auto factory = HookedFactory::make({.connecting = [&](HookedFactory&, Connector& c) { connector = &c; }});
        bool returned = false;
        const auto connect = [&] {
            const auto configure = [&](int) {
                connector->stopConnecting();
                hosted.settle();
                CHECK(factory->failures == 0);
                returned = true;
            };
            ConnectOptions options;
            options.configureSocket = configure;
            hosted.reactor.connectTCP("127.0.0.1", 9, factory, options);
        };
        if (inDispatch)
            hosted.reactor.callLater(0ms, connect);
        else
            connect();
        CHECK(hosted.until([&] { return factory->failures == 1; }));
        CHECK(returned);
        hosted.settle();
        CHECK(factory->failures == 1);
    }
}

TEST_CASE("H12: an attempt that is given up in a dialog of the resolver's is told when that has returned, and over") {
    struct Opening final : Resolver {
        std::unique_ptr<Lookup> resolve(const std::string& host, std::uint16_t port, AddressFamily family,
                                        Callback callback) override {
            dialog();
            return scripted.resolve(host, port, family, std::move(callback));
        }
        std::function<void()> dialog;
        ScriptedResolver scripted;
    };
    Hosted hosted;
    auto owned = std::make_unique<Opening>();
    Opening& resolver = *owned;
    hosted.reactor.setResolver(std::move(owned));
    Connector* connector = nullptr;
    const auto factory = HookedFactory::make({.connecting = [&](HookedFactory&, Connector& c) { connector = &c; }});
    resolver.dialog = [&] {
        connector->stopConnecting();
        hosted.settle();
        CHECK(factory->failures == 0);
    };
    hosted.reactor.connectTCP("name.example", 9, factory);
    CHECK(hosted.until([&] { return factory->failures == 1; }));
    REQUIRE(resolver.scripted.queries.size() == 1);
    CHECK_FALSE(resolver.scripted.queries[0]->pending());
}

TEST_CASE("H12: when another address answers in a dialog of configureSocket, the connection is made after it") {
    Hosted hosted;
    auto owned = std::make_unique<ScriptedResolver>();
    ScriptedResolver& resolver = *owned;
    hosted.reactor.setResolver(std::move(owned));
    const auto server = std::make_shared<HookedProtocol>();
    const auto port = hosted.reactor.listenTCP(0, HookedFactory::of(server), {.interface = "127.0.0.1"});
    const std::uint16_t number = port->getHost().port();
    const auto client = std::make_shared<HookedProtocol>();
    const auto factory = HookedFactory::of(client);
    int attempts = 0;
    bool inside = false;
    const auto configure = [&](int) {
        if (++attempts != 2)
            return;
        inside = true;
        CHECK(hosted.until([&] { return server->record->made != 0; }));
        hosted.settle();
        CHECK(factory->built == 0);
        inside = false;
    };
    ConnectOptions options;
    options.attemptDelay = 0ms;
    options.configureSocket = configure;
    const auto connector = hosted.reactor.connectTCP("name.example", number, factory, options);
    resolver.queries.at(0)->answer({Address::parse("127.0.0.1", number), Address::parse("127.0.0.2", number)});
    CHECK(hosted.until([&] { return client->record->made != 0; }));
    CHECK_FALSE(inside);
    CHECK(attempts == 2);
    CHECK(connector->state() == Connector::State::Connected);
    CHECK(factory->failures == 0);
}

TEST_CASE("H12: a dialog in buildProtocol lets a port take no more than maxConnections") {
    Hosted hosted;
    int made = 0;
    std::vector<RawSocket> peers;
    std::shared_ptr<ListeningPort> port;
    const auto factory = HookedFactory::make({.build = [&]() -> std::shared_ptr<Protocol> {
        if (peers.size() == 1) {
            peers.push_back(RawSocket::connectTo(port->getHost().port()));
            hosted.settle();
        }
        return std::make_shared<HookedProtocol>(ProtocolHooks{.made = [&](HookedProtocol&) { ++made; }});
    }});
    port = hosted.reactor.listenTCP(0, factory, {.interface = "127.0.0.1", .maxConnections = 1});
    peers.push_back(RawSocket::connectTo(port->getHost().port()));
    REQUIRE(hosted.until([&] { return made != 0; }));
    hosted.settle();
    CHECK(made == 1);
    peers.front().close();
    CHECK(hosted.until([&] { return made == 2; }));
}

TEST_CASE("a factory that refuses a connection at maxConnections leaves the port accepting") {
    Hosted hosted;
    int built = 0;
    const auto factory = HookedFactory::make({.build = [&]() -> std::shared_ptr<Protocol> {
        if (++built == 1)
            return nullptr;
        return std::make_shared<HookedProtocol>();
    }});
    const auto port = hosted.reactor.listenTCP(0, factory, {.interface = "127.0.0.1", .maxConnections = 1});
    const RawSocket first = RawSocket::connectTo(port->getHost().port());
    const RawSocket second = RawSocket::connectTo(port->getHost().port());
    CHECK(hosted.until([&] { return port->connectionCount() == 1; }));
    CHECK(built == 2);
}

TEST_CASE("H12: a dialog in a callback that the program runs itself, guarded, leaves that connection alone too") {
    Hosted hosted;
    int depth = 0;
    int deepest = 0;
    const HostedPair pair(hosted, {.data = [&](HookedProtocol&) { deepest = std::max(deepest, depth); }});
    pair.client->transport->write("x");
    pair.client->transport->flush();
    std::string seen;
    pair.server->transport->guarded([&] {
        ++depth;
        pair.server->transport->write("before the dialog");
        hosted.settle();
        CHECK(pair.client->record->received == "before the dialog");
        CHECK(pair.server->record->received.empty());
        --depth;
    });
    CHECK(hosted.until([&] { return pair.server->record->received == "x"; }));
    CHECK(deepest == 0);
}

TEST_CASE("H3: in a dialog the reactor's time goes on, from when the host asks how long it may wait") {
    Hosted hosted;
    bool second = false;
    hosted.reactor.callLater(0ms, [&] {
        const TimePoint before = hosted.reactor.now();
        hosted.embedding().timeout();
        work(hosted.reactor, 1ms);
        CHECK(hosted.reactor.now() >= before + 1ms);
    });
    hosted.reactor.callLater(0ms, [&] {
        const TimePoint before = hosted.reactor.now();
        work(hosted.reactor, 100us);
        CHECK(hosted.reactor.now() == before);
        second = true;
    });
    hosted.embedding().dispatch();
    CHECK(second);
}

TEST_CASE("H2: a host that takes another's place is told of what is begun then") {
    Hosted hosted;
    hosted.settle();
    int first = 0;
    int second = 0;
    hosted.embedding().onChange([&] { ++first; });
    hosted.reactor.callLater(1h, [] {});
    CHECK(first == 1);
    hosted.embedding().onChange(nullptr);
    hosted.embedding().onChange([&] { ++second; });
    hosted.reactor.callLater(0ms, [] {});
    CHECK(second == 1);
    hosted.settle();
}

TEST_CASE("a reactor that is destroyed in onChange ends the program with a message") {
    const ChildEnd end = runInChild([] {
        auto reactor = std::make_unique<UvReactor>();
        Embedding embedding = reactor->embed();
        embedding.dispatch();
        embedding.onChange([&] { reactor.reset(); });
        reactor->callLater(0ms, [] {});
    });
    CHECK(end.wasAborted());
    CHECK(end.said.find("destroyed inside one of its own callbacks") != std::string::npos);
}
