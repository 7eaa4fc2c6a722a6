// A host's loop that runs inside of a callback of the reactor's, as a modal dialog does (H12).

#include "embedding/suite.hpp"
#include "support/hosted.hpp"
#include "support/raw_socket.hpp"

#include <reactor/looping_call.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

HOST_CASE("H12: with a dialog in A's dataReceived timers tick and B is served, and A waits for its end") {
    if (!host.nests())
        return;
    HostPair b(scene, echoing());
    int depth = 0;
    int deepest = 0;
    bool over = false;
    std::shared_ptr<HookedProtocol> aClient;
    HostPair a(scene, {.data = [&](HookedProtocol& self) {
                   deepest = std::max(deepest, ++depth);
                   if (!over) {
                       const std::string before = self.record->received;
                       aClient->transport->write(" and more");
                       int ticks = 0;
                       LoopingCall ticking(reactor, [&] { ++ticks; });
                       ticking.start(1ms).detach();
                       for (std::size_t i = 1; i <= 5; ++i) {
                           b.client->transport->write("b");
                           scene.until([&] { return b.client->record->received.size() == i; });
                       }
                       scene.until([&] { return ticks >= 5; });
                       ticking.stop();
                       CHECK(self.record->received == before);
                       over = true;
                   }
                   --depth;
               }});
    aClient = a.client;
    a.client->transport->write("first");
    scene.until([&] { return a.server->record->received == "first and more"; });
    CHECK(deepest == 1);
    CHECK(over);
}

HOST_CASE("H12: a dialog whose connection gets more to read does not spin, and host events are served in it") {
    if (!host.nests())
        return;
    EventPipe events;
    int seen = 0;
    host.watch(events.descriptor(), [&] {
        events.take();
        ++seen;
    });
    RawSocket peer;
    const auto server = std::make_shared<HookedProtocol>(ProtocolHooks{.data = [&](HookedProtocol& self) {
        if (self.record->received != "first")
            return;
        CHECK(peer.send(" and more") == 9);
        scene.settle();
        const std::uint64_t before = scene.dispatches();
        const auto since = std::chrono::steady_clock::now();
        scene.settle();
        events.send();
        scene.until([&] { return seen == 1; });
        CHECK_FALSE(spins(scene, before, since));
    }});
    const auto port = scene.listen(HookedFactory::of(server));
    peer = RawSocket::connectTo(port->getHost().port());
    scene.until([&] { return server->record->made != 0; });
    CHECK(peer.send("first") == 5);
    scene.until([&] { return server->record->received == "first and more"; });
    CHECK(seen == 1);
}

HOST_CASE("H12: what a callback has written before its dialog leaves, and so does what is written in it") {
    if (!host.nests())
        return;
    std::shared_ptr<HookedProtocol> peer;
    HostPair pair(scene, {.data = [&](HookedProtocol& self) {
                      self.transport->write("before ");
                      scene.until([&] { return peer->record->received == "before "; });
                      host.after(1ms, [&] { self.transport->write("inside "); });
                      scene.until([&] { return peer->record->received == "before inside "; });
                      self.transport->write("after");
                  }});
    peer = pair.client;
    pair.client->transport->write("x");
    scene.until([&] { return peer->record->received == "before inside after"; });
}

HOST_CASE("H12: dialogs open in dialogs: in timers, in calls from threads, in connectionMade and connectionLost") {
    if (!host.nests())
        return;
    std::string order;
    const auto dialog = [&](char name, auto open) {
        order += name;
        bool ticked = false;
        reactor.callLater(1ms, [&] { ticked = true; });
        open();
        scene.until([&] { return ticked; });
        order += static_cast<char>(name - 'a' + 'A');
    };
    const auto server = std::make_shared<HookedProtocol>();
    const auto port = scene.listen(HookedFactory::of(server));
    const auto client = std::make_shared<HookedProtocol>(
        ProtocolHooks{.made = [&](HookedProtocol& self) { dialog('c', [&] { self.transport->abortConnection(); }); },
                      .lost = [&](HookedProtocol&) { dialog('d', [] {}); }});
    reactor.callLater(1ms, [&] {
        dialog('a', [&] {
            reactor.callFromThread([&] {
                dialog('b', [&] {
                    reactor.connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::of(client));
                    scene.until([&] { return order.find('C') != order.npos; });
                });
            });
            scene.until([&] { return order.find('B') != order.npos; });
        });
    });
    scene.until([&] { return order.find('A') != order.npos && order.find('D') != order.npos; });
    CHECK(order.substr(0, 4) == "abcC");
    CHECK(order.find('B') < order.find('A'));
    scene.settle();
}

HOST_CASE("H12: a stop in a dialog waits for the callback that has opened it") {
    if (!host.nests())
        return;
    bool inside = false;
    bool stopped = false;
    reactor.onStopped([&] {
        CHECK_FALSE(inside);
        stopped = true;
    });
    reactor.start();
    reactor.callLater(1ms, [&] {
        inside = true;
        reactor.stop();
        scene.settle();
        inside = false;
    });
    scene.until([&] { return stopped; });
}

HOST_CASE("H12: a host's callback may open a dialog, and one that a dispatch of the program's has called") {
    if (!host.nests())
        return;
    HostPair pair(scene, echoing());
    int echoes = 0;
    const auto open = [&] {
        pair.client->record->received.clear();
        pair.client->transport->write("x");
        scene.until([&] { return pair.client->record->received == "x"; });
        ++echoes;
    };
    host.after(1ms, open);
    scene.until([&] { return echoes == 1; });
    scene.settle();
    reactor.callLater(0ms, open);
    for (int i = 0; i < 100 && echoes < 2; ++i)
        host.dispatch();
    CHECK(echoes == 2);
    open();
}
