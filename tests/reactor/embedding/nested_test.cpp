// A host's loop that runs inside a reactor's callback, as a modal dialog does.

#include "support/hosted.hpp"
#include "support/raw_socket.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/input_reader.hpp>
#include <reactor/looping_call.hpp>

#include <doctest/doctest.h>

#include <unistd.h>
#include <uv.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// A server whose every connection does what `serve` says, and raw peers to talk to it.
class Scene {
public:
    explicit Scene(const EmbedOptions& options = {}) : hosted(options) {}

    /// A raw peer, and the protocol that serves it, connected.
    RawSocket connect(std::shared_ptr<HookedProtocol> protocol) {
        const auto record = protocol->record;
        const auto port =
            hosted.reactor.listenTCP(0, HookedFactory::of(std::move(protocol)), {.interface = "127.0.0.1"});
        RawSocket peer = RawSocket::connectTo(port->getHost().port());
        REQUIRE(hosted.until([&] { return record->made != 0; }));
        return peer;
    }

    Hosted hosted;
};

std::shared_ptr<HookedProtocol> protocolOf(ProtocolHooks hooks) {
    return std::make_shared<HookedProtocol>(std::move(hooks));
}

} // namespace

TEST_CASE("H12: with a host's loop inside A's dataReceived B is served, timed calls are made, and A waits its turn") {
    for (const EmbedOptions& options : kEmbeddings) {
        Scene scene(options);
        Hosted& hosted = scene.hosted;
        int depth = 0;
        int deepest = 0;
        int ticks = 0;
        std::string echoed;
        RawSocket aPeer;
        RawSocket bPeer = scene.connect(protocolOf(echoing()));
        bool modal = false;
        const auto a = protocolOf({.data = [&](HookedProtocol& self) {
            deepest = std::max(deepest, ++depth);
            if (!std::exchange(modal, true)) {
                const std::string before = self.record->received;
                CHECK(aPeer.send(" and more while the dialog is open") > 0);
                LoopingCall tick(hosted.reactor, [&] { ++ticks; });
                tick.start(1ms).detach();
                for (int i = 0; i < 3; ++i) {
                    CHECK(bPeer.send("b") == 1);
                    CHECK(hosted.until([&] {
                        echoed += bPeer.receive();
                        return echoed.size() == static_cast<std::size_t>(i) + 1;
                    }));
                }
                CHECK(hosted.until([&] { return ticks > 5; }));
                tick.stop();
                CHECK(hosted.settle() <= 5); // A's bytes wait, and wake nobody
                CHECK_FALSE(hosted.wakes());
                CHECK(self.record->received == before);
            }
            --depth;
        }});
        aPeer = scene.connect(a);
        CHECK(aPeer.send("first") == 5);
        REQUIRE(hosted.until([&] { return a->record->received == "first and more while the dialog is open"; }));
        CHECK(echoed == "bbb");
        CHECK(deepest == 1);
    }
}

TEST_CASE("H12: what a callback was given to read stays as it is while others read inside of it") {
    Scene scene;
    Hosted& hosted = scene.hosted;

    /// Looks at its view again after a nested loop in which another connection was read.
    class Looking : public Protocol {
    public:
        explicit Looking(std::function<void()> modal) : modal_(std::move(modal)) {}
        void dataReceived(std::string_view data) override {
            const std::string before(data);
            modal_();
            same = data == before;
        }
        bool same = false;

    private:
        std::function<void()> modal_;
    };
    const auto other = protocolOf({});
    RawSocket otherPeer = scene.connect(other);
    const auto looking = std::make_shared<Looking>([&] {
        CHECK(otherPeer.send(std::string(1000, 'o')) == 1000);
        CHECK(hosted.until([&] { return other->record->received.size() == 1000; }));
    });
    const auto port = hosted.reactor.listenTCP(0, HookedFactory::of(looking), {.interface = "127.0.0.1"});
    RawSocket peer = RawSocket::connectTo(port->getHost().port());
    CHECK(peer.send(std::string(1000, 'l')) == 1000);
    CHECK(hosted.until([&] { return looking->same; }));
}

TEST_CASE("H12: what a callback wrote before it opened a dialog leaves, and so does what is written in the dialog") {
    Scene scene;
    Hosted& hosted = scene.hosted;
    RawSocket peer;
    std::string seen;
    const auto a = protocolOf({.data = [&](HookedProtocol& self) {
        self.transport->write("before ");
        CHECK(hosted.until([&] { return (seen += peer.receive()) == "before "; }));
        self.transport->write("inside ");
        CHECK(hosted.wakes());
        CHECK(hosted.until([&] { return (seen += peer.receive()) == "before inside "; }));
        self.transport->write("after");
    }});
    peer = scene.connect(a);
    CHECK(peer.send("x") == 1);
    CHECK(hosted.until([&] { return (seen += peer.receive()) == "before inside after"; }));
}

TEST_CASE("H12: a connection that is lost while its callback has a dialog open hears of it when that has returned") {
    for (const bool byAbort : {false, true}) {
        CAPTURE(byAbort);
        Scene scene;
        Hosted& hosted = scene.hosted;
        RawSocket peer;
        bool returned = false;
        bool told = false;
        const auto a = protocolOf({.data =
                                       [&](HookedProtocol& self) {
                                           if (byAbort)
                                               self.transport->abortConnection();
                                           else
                                               peer.reset();
                                           hosted.settle();
                                           CHECK(self.record->lost == 0);
                                           returned = true;
                                       },
                                   .lost =
                                       [&](HookedProtocol&) {
                                           CHECK(returned);
                                           told = true;
                                       }});
        peer = scene.connect(a);
        CHECK(peer.send("x") == 1);
        CHECK(hosted.until([&] { return told; }));
    }
}

TEST_CASE("H12: a dialog in connectionMade lets the port accept others, and that connection's first bytes wait") {
    Scene scene;
    Hosted& hosted = scene.hosted;
    std::vector<std::shared_ptr<HookedProtocol>> made;
    RawSocket second;
    const auto factory = HookedFactory::make({.build = [&] {
        made.push_back(protocolOf({.made = [&](HookedProtocol& self) {
            if (made.size() != 1)
                return;
            second = RawSocket::connectTo(self.transport->getHost().port());
            CHECK(hosted.until([&] { return made.size() == 2; }));
            CHECK(self.record->received.empty());
        }}));
        return made.back();
    }});
    const auto port = hosted.reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
    RawSocket first = RawSocket::connectTo(port->getHost().port());
    CHECK(first.send("early") == 5);
    CHECK(hosted.until([&] { return !made.empty() && made[0]->record->received == "early"; }));
    CHECK(made.size() == 2);
}

TEST_CASE("H12: a port that is stopped in a dialog of its factory lives until buildProtocol has returned") {
    Scene scene;
    Hosted& hosted = scene.hosted;
    std::shared_ptr<ListeningPort> port;
    bool stopped = false;
    const auto factory = HookedFactory::make({.build = [&]() -> std::shared_ptr<Protocol> {
        port->stopListening().addCallback([&] { stopped = true; }).detach();
        port.reset();
        CHECK(hosted.until([&] { return stopped; }));
        return nullptr;
    }});
    port = hosted.reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
    const RawSocket peer = RawSocket::connectTo(port->getHost().port());
    CHECK(hosted.until([&] { return stopped; }));
    hosted.settle();
    CHECK(factory->stopped == 1);
}

TEST_CASE("H12: an attempt that is given up in a dialog of startedConnecting fails once, and begins nothing") {
    Scene scene;
    Hosted& hosted = scene.hosted;
    const auto factory = HookedFactory::make({.connecting = [&](HookedFactory& self, Connector& connector) {
        connector.stopConnecting();
        hosted.settle();
        CHECK(self.failures == 0);
    }});
    const auto connector = hosted.reactor.connectTCP("127.0.0.1", 9, factory);
    CHECK(hosted.until([&] { return factory->failures == 1; }));
    hosted.settle();
    CHECK(factory->failures == 1);
    CHECK(connector->state() == Connector::State::Disconnected);
}

TEST_CASE("H12: timed calls, calls from threads, flushes and closings that wait behind a dialog go on inside of it") {
    Hosted hosted;
    std::vector<std::string> order;
    hosted.reactor.callLater(0ms, [&] {
        order.push_back("dialog");
        hosted.settle();
        order.push_back("closed");
    });
    hosted.reactor.callLater(0ms, [&] { order.push_back("second"); });
    hosted.settle();
    CHECK(order == std::vector<std::string>{"dialog", "second", "closed"});

    order.clear();
    hosted.reactor.callFromThread([&] {
        order.push_back("dialog");
        hosted.reactor.callFromThread([&] { order.push_back("third"); });
        hosted.settle();
        order.push_back("closed");
    });
    hosted.reactor.callFromThread([&] { order.push_back("second"); });
    hosted.settle();
    CHECK(order == std::vector<std::string>{"dialog", "second", "third", "closed"});

    order.clear();
    const auto lost = [&](const char* name, bool dialog) {
        return ProtocolHooks{.lost = [&, name, dialog](HookedProtocol&) {
            order.push_back(name);
            if (!dialog)
                return;
            hosted.settle();
            order.push_back("closed");
        }};
    };
    const HostedPair first(hosted, lost("first", true));
    const HostedPair second(hosted, lost("second", false));
    first.server->transport->abortConnection();
    second.server->transport->abortConnection();
    hosted.settle();
    CHECK(order == std::vector<std::string>{"first", "second", "closed"});
}

TEST_CASE("H12: a stop() in a dialog waits for the callback that opened it") {
    Hosted hosted;
    bool stopped = false;
    bool inside = true;
    hosted.reactor.start();
    hosted.embedding().onStopped([&] { stopped = true; });
    hosted.reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [&] { CHECK_FALSE(inside); });
    const HostedPair pair(hosted, {.data = [&](HookedProtocol& self) {
                              hosted.reactor.stop();
                              hosted.settle();
                              CHECK_FALSE(hosted.wakes());
                              CHECK(self.record->lost == 0);
                              inside = false;
                          }});
    pair.client->transport->write("x");
    CHECK(hosted.until([&] { return stopped; }));
    CHECK(pair.server->record->lost == 1);
}

TEST_CASE("H12: input of a descriptor waits while its handler has a dialog open") {
    Hosted hosted;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    struct Events final : InputEvents {
        void inputReceived(std::string_view data) override {
            ++depth;
            CHECK(depth == 1);
            received += data;
            if (modal)
                std::exchange(modal, nullptr)();
            --depth;
        }
        void inputEnded(const Failure&) override { ended = true; }
        std::function<void()> modal;
        std::string received;
        int depth = 0;
        bool ended = false;
    } events;
    InputReader reader(hosted.reactor, ends[0], events);
    ::close(ends[0]);
    reader.resumeReading();
    hosted.settle();
    events.modal = [&] {
        REQUIRE(::write(ends[1], "more", 4) == 4);
        hosted.settle();
        CHECK_FALSE(hosted.wakes());
        CHECK(events.received == "first");
    };
    REQUIRE(::write(ends[1], "first", 5) == 5);
    CHECK(hosted.until([&] { return events.received == "firstmore"; }));
    ::close(ends[1]);
    CHECK(hosted.until([&] { return events.ended; }));
}

TEST_CASE("H9: a dispatch inside libuv's poll, from a handle of somebody's on the loop, is busy and does nothing") {
    Hosted hosted;
    struct Probe {
        Embedding* embedding;
        Dispatched outcome = Dispatched::Idle;
    } probe{&hosted.embedding()};
    uv_timer_t timer;
    uv_timer_init(hosted.reactor.loop(), &timer);
    timer.data = &probe;
    uv_timer_start(
        &timer,
        [](uv_timer_t* handle) {
            Probe& found = *static_cast<Probe*>(handle->data);
            found.outcome = found.embedding->dispatch();
        },
        0, 0);
    CHECK(hosted.until([&] { return probe.outcome == Dispatched::Busy; }));
    uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
    hosted.settle();
}

TEST_CASE("H9: run() and iterate() inside a dispatch are refused") {
    Hosted hosted;
    bool called = false;
    hosted.reactor.callLater(0ms, [&] {
        CHECK_THROWS_AS(hosted.reactor.run(), ReactorAlreadyRunning);
        CHECK_THROWS_AS(hosted.reactor.iterate(), ReactorAlreadyRunning);
        called = true;
    });
    hosted.embedding().dispatch();
    CHECK(called);
}
