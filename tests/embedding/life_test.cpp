// Who goes first: the host, the adapter, or the reactor; and starting and stopping.

#include "embedding/suite.hpp"
#include "support/hooked_producer.hpp"
#include "support/raw_socket.hpp"

#include <reactor/errors.hpp>

#include <doctest/doctest.h>

#include <unistd.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// The connection goes on, and so do timers.
void checkServes(HostScene& scene, HostPair& pair) {
    pair.server->record->received.clear();
    pair.client->transport->write("still there");
    bool called = false;
    scene.reactor->callLater(1ms, [&] { called = true; });
    scene.until([&] { return called && pair.server->record->received == "still there"; });
}

/// Where in a program the adapter is destroyed.
enum class Place { Timer, DataReceived, CallFromThread, HostTimer };
constexpr Place kPlaces[] = {Place::Timer, Place::DataReceived, Place::CallFromThread, Place::HostTimer};

/// A pair of connections, and such places.
struct Placed {
    explicit Placed(HostScene& itsScene)
        : scene(itsScene), pair(itsScene, {.data = [this](HookedProtocol&) {
                                    if (onData)
                                        std::exchange(onData, nullptr)();
                                }}) {}

    /// Has `f` called there, and waits for it.
    void callAt(Place place, std::function<void()> f) {
        bool called = false;
        const auto once = [&, f = std::move(f)] {
            f();
            called = true;
        };
        switch (place) {
        case Place::Timer:
            scene.reactor->callLater(1ms, once);
            break;
        case Place::DataReceived:
            onData = once;
            pair.client->transport->write("now");
            break;
        case Place::CallFromThread:
            scene.reactor->callFromThread(once);
            break;
        case Place::HostTimer:
            scene.host->after(1ms, once);
            break;
        }
        scene.until([&] { return called; });
    }

    HostScene& scene;
    std::function<void()> onData;
    HostPair pair;
};

} // namespace

HOST_CASE("a reactor stops and starts again in its host, and onStopped is told each time") {
    int stops = 0;
    reactor.onStopped([&] { ++stops; });
    for (int round = 1; round <= 4; ++round) {
        const HostPair pair(scene);
        reactor.start();
        CHECK_THROWS_AS(reactor.start(), ReactorAlreadyRunning);
        scene.settle();
        CHECK(stops == round - 1);
        host.after(1ms, [&] { reactor.stop(); }); // while the host is idle
        scene.until([&] { return stops == round; });
        CHECK(pair.server->record->lost == 1);
        CHECK(pair.client->record->lost == 1);
        CHECK_FALSE(pair.port->isListening());
    }
}

HOST_CASE("a reactor is stopped by its own timer, by a protocol, and from a thread") {
    int stops = 0;
    reactor.onStopped([&] { ++stops; });
    reactor.start();
    reactor.callLater(1ms, [&] { reactor.stop(); });
    scene.until([&] { return stops == 1; });
    reactor.start();
    HostPair pair(scene, {.data = [&](HookedProtocol&) { reactor.stop(); }});
    pair.client->transport->write("x");
    scene.until([&] { return stops == 2; });
    reactor.start();
    scene.settle();
    reactor.callFromThread([&] { reactor.stop(); });
    scene.until([&] { return stops == 3; });
}

HOST_CASE("a reactor that has stopped is served on, and timers that were set before") {
    bool stopped = false;
    bool late = false;
    reactor.onStopped([&] { stopped = true; });
    reactor.start();
    reactor.stop();
    scene.until([&] { return stopped; });
    reactor.callLater(1ms, [&] { late = true; });
    scene.until([&] { return late; });
    HostPair pair(scene);
    checkServes(scene, pair);
}

HOST_CASE("a reactor may be destroyed in onStopped, inside of its host's loop") {
    bool stopped = false;
    reactor.onStopped([&] {
        scene.reactor.reset();
        stopped = true;
    });
    reactor.start();
    host.after(1ms, [&] { scene.reactor->stop(); });
    scene.until([&] { return stopped; });
    scene.settle();
}

ADAPTER_CASE("the host may go first, with connections open: they are lost with the reactor, once") {
    const HostPair pair(scene);
    pair.client->transport->write("never read");
    reactor.callLater(0ms, [] { FAIL("called without a host"); });
    scene.host.reset();
    scene.attached = false;
    CHECK(pair.client->record->lost == 0);
    pair.client->transport->write("more");
    scene.reactor.reset();
    CHECK(pair.client->record->lost == 1);
    CHECK(pair.server->record->lost == 1);
}

ADAPTER_CASE("a reactor whose host has gone goes on in another, with all that is open") {
    HostPair pair(scene);
    bool called = false;
    scene.host.reset();
    scene.attached = false;
    reactor.callLater(1ms, [&] { called = true; });
    pair.client->transport->write("meanwhile");
    scene.host = scene.kind.make();
    scene.attach();
    scene.until([&] { return called && pair.server->record->received == "meanwhile"; });
    checkServes(scene, pair);
}

HOST_CASE("the reactor may go first: the host goes on, and no longer watches its descriptor") {
    const HostPair pair(scene);
    scene.settle();
    const int descriptor = scene.embedding ? scene.embedding->fd() : -1;
    scene.reactor.reset(); // the adapter is there still
    CHECK(pair.client->record->lost == 1);
    const std::uint64_t before = scene.dispatches();
    EventPipe another;
    if (descriptor >= 0) { // a number that is in use again
        REQUIRE(::dup2(another.descriptor(), descriptor) == descriptor);
        another.send();
    }
    EventPipe events;
    int seen = 0;
    host.watch(events.descriptor(), [&] {
        events.take();
        ++seen;
    });
    events.send();
    scene.until([&] { return seen == 1; });
    scene.settle();
    CHECK((host.dispatchesEachTurn() || scene.dispatches() == before));
    if (descriptor >= 0)
        ::close(descriptor);
}

ADAPTER_CASE("an adapter on a reactor that is gone is refused") {
    scene.destroyReactor();
    CHECK_THROWS_AS(host.attach(*scene.embedding), std::logic_error);
    scene.settle();
}

ADAPTER_CASE("the reactor may be destroyed in a host's callback") {
    const HostPair pair(scene);
    reactor.callLater(1h, [] {});
    host.after(1ms, [&] { scene.reactor.reset(); });
    scene.until([&] { return scene.reactor == nullptr; });
    scene.settle();
    CHECK(pair.server->record->lost == 1);
}

ADAPTER_CASE("an adapter may be destroyed inside of any callback, and made anew in a later one") {
    for (const Place place : kPlaces) {
        CAPTURE(static_cast<int>(place));
        Placed placed(scene);
        placed.callAt(place, [&] { scene.detach(); });
        host.after(1ms, [&] { scene.attach(); });
        scene.until([&] { return scene.attached; });
        checkServes(scene, placed.pair);
    }
}

ADAPTER_CASE("an adapter may be replaced inside of any callback") {
    for (const Place place : kPlaces) {
        CAPTURE(static_cast<int>(place));
        Placed placed(scene);
        placed.callAt(place, [&] {
            scene.detach();
            scene.attach();
        });
        checkServes(scene, placed.pair);
    }
}

ADAPTER_CASE("an adapter may be destroyed in a dispatch inside of another, and replaced outside of both") {
    if (!host.nests())
        return;
    HostPair pair(scene);
    bool gone = false;
    bool returned = false;
    reactor.callLater(0ms, [&] {
        reactor.callLater(0ms, [&] {
            scene.detach();
            gone = true;
        });
        scene.until([&] { return gone; });
        returned = true;
    });
    scene.until([&] { return returned; });
    scene.attach();
    checkServes(scene, pair);
}

// What a callback has written is sent as the host asks how long to wait: `timeout()` is on the stack.
ADAPTER_CASE("an adapter may be destroyed by a producer that hears of a dialog's first send, and replaced after it") {
    if (!host.nests())
        return;
    RawSocket peer;
    HookedProducer producer;
    bool inDialog = false;
    bool over = false;
    const auto server = std::make_shared<HookedProtocol>(ProtocolHooks{.data = [&](HookedProtocol& self) {
        self.transport->registerProducer(producer);
        self.transport->pauseProducing(); // the reset is not read
        peer.reset();
        self.transport->write("fails");
        bool later = false;
        host.after(5ms, [&] { later = true; });
        inDialog = true;
        scene.until([&] { return later; });
        over = true;
    }});
    producer.pause = [&] {
        CHECK(inDialog);
        scene.detach();
    };
    const auto port = scene.listen(HookedFactory::of(server));
    peer = RawSocket::connectTo(port->getHost().port());
    peer.send("now");
    scene.until([&] { return over; });
    CHECK_FALSE(scene.attached);
    scene.attach();
    scene.until([&] { return server->record->lost == 1; });
}

ADAPTER_CASE("a second adapter on a reactor is refused, and the first goes on") {
    HostPair pair(scene);
    {
        const std::unique_ptr<Host> other = scene.kind.make();
        CHECK_THROWS_AS(other->attach(*scene.embedding), std::logic_error);
    }
    checkServes(scene, pair);
    scene.detach();
    scene.attach(); // it has let go
    checkServes(scene, pair);
}
