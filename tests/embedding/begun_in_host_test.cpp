// What a program begins outside of a dispatch, in its host's own callbacks, is seen by a host that sleeps (H2).

#include "embedding/suite.hpp"

#include <reactor/delayed_call.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// Runs the host until it has nothing left to do, and then has one of its callbacks begin something: a timer's, and a
/// descriptor's.
void begin(HostScene& scene, bool byTimer, EventPipe& events, std::function<void()> f) {
    scene.settle();
    if (byTimer)
        return scene.host->after(1ms, std::move(f));
    scene.host->watch(events.descriptor(), [&events, f = std::move(f)] {
        events.take();
        f();
    });
    events.send();
}

} // namespace

HOST_CASE("H2: a timer that was set before the host's loop began fires") {
    int called = 0;
    reactor.callLater(0ms, [&] { ++called; });
    reactor.callLater(2ms, [&] { ++called; });
    scene.until([&] { return called == 2; });
}

ADAPTER_CASE("H2: timers that were set, and writes that were made, while there was no adapter are seen by the next") {
    HostPair pair(scene);
    scene.settle();
    scene.detach();
    int called = 0;
    reactor.callLater(0ms, [&] { ++called; });
    reactor.callLater(3ms, [&] { ++called; });
    pair.client->transport->write("hello");
    scene.settle(); // of the host alone
    CHECK(called == 0);
    scene.attach();
    scene.until([&] { return called == 2 && pair.server->record->received == "hello"; });
}

HOST_CASE("H2: a timer that a host's callback sets fires, one that is nearer than all others too") {
    for (const bool byTimer : {true, false}) {
        EventPipe events;
        reactor.callLater(1h, [] {});
        int called = 0;
        begin(scene, byTimer, events, [&] {
            for (const auto delay : {0ms, 1ms, 5ms})
                reactor.callLater(delay, [&] { ++called; });
        });
        scene.until([&] { return called == 3; });
    }
}

HOST_CASE("H2: a timer that a host's callback moves nearer, or farther, fires when it is due") {
    EventPipe events;
    bool moved = false;
    DelayedCall late = reactor.callLater(1h, [&] { moved = true; });
    begin(scene, true, events, [&] { late.reset(1ms); });
    scene.until([&] { return moved; });

    bool early = false;
    bool later = false;
    DelayedCall near = reactor.callLater(1h, [&] { early = true; });
    begin(scene, true, events, [&] {
        near.reset(1ms);
        near.reset(1h);
        reactor.callLater(3ms, [&] { later = true; });
    });
    scene.until([&] { return later; });
    CHECK_FALSE(early);
}

HOST_CASE("H2: a host's callback listens, connects, writes and closes, and each is seen") {
    for (const bool byTimer : {true, false}) {
        EventPipe events;
        const auto server = std::make_shared<HookedProtocol>();
        const auto client = std::make_shared<HookedProtocol>();
        std::shared_ptr<ListeningPort> port;
        begin(scene, byTimer, events, [&] { port = scene.listen(HookedFactory::of(server)); });
        scene.until([&] { return port != nullptr; });
        begin(scene, byTimer, events,
              [&] { reactor.connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::of(client)); });
        scene.until([&] { return server->record->made != 0 && client->record->made != 0; });
        begin(scene, byTimer, events, [&] { client->transport->write("hello"); });
        scene.until([&] { return server->record->received == "hello"; });
        begin(scene, byTimer, events, [&] { server->transport->loseConnection(); });
        scene.until([&] { return server->record->lost != 0 && client->record->lost != 0; });
        CHECK(server->record->reason.check<ConnectionDone>());
        bool stopped = false;
        begin(scene, byTimer, events, [&] { port->stopListening().addCallback([&] { stopped = true; }).detach(); });
        scene.until([&] { return stopped; });
    }
}

HOST_CASE("H2: a host's callback aborts a connection, and reads on after a pause") {
    EventPipe events;
    HostPair pair(scene);
    pair.server->transport->pauseProducing();
    pair.client->transport->write("waits");
    scene.settle();
    CHECK(pair.server->record->received.empty());
    begin(scene, true, events, [&] { pair.server->transport->resumeProducing(); });
    scene.until([&] { return pair.server->record->received == "waits"; });
    begin(scene, true, events, [&] { pair.server->transport->abortConnection(); });
    scene.until([&] { return pair.server->record->lost != 0 && pair.client->record->lost != 0; });
}

HOST_CASE("H2: an attempt to connect that a host's callback begins, or gives up, ends") {
    EventPipe events;
    const auto port = scene.listen(HookedFactory::make());
    const int closed = port->getHost().port();
    port->stopListening().detach();
    const auto factory = HookedFactory::make();
    begin(scene, true, events, [&] { reactor.connectTCP("127.0.0.1", closed, factory); });
    scene.until([&] { return factory->failures == 1; });
    begin(scene, true, events, [&] { reactor.connectTCP("127.0.0.1", closed, factory)->stopConnecting(); });
    scene.until([&] { return factory->failures == 2; });
}

HOST_CASE("H3: a timer is not early, and waits its full time after long work of the host's") {
    for (const auto delay : {0ms, 1ms, 2ms, 7ms}) {
        for (int round = 0; round < 5; ++round) {
            std::optional<TimePoint> called;
            TimePoint due;
            host.after(0ms, [&] {
                const TimePoint end = reactor.freshNow() + 3ms;
                while (reactor.freshNow() < end) {
                }
                due = reactor.freshNow() + delay;
                reactor.callLater(delay, [&] { called = reactor.freshNow(); });
            });
            scene.until([&] { return called.has_value(); });
            CHECK(*called >= due);
        }
    }
}

HOST_CASE("timed calls of a host's reactor are made in order") {
    std::string order;
    reactor.callLater(6ms, [&] { order += 'c'; });
    reactor.callLater(3ms, [&] { order += 'b'; });
    host.after(1ms, [&] { reactor.callLater(0ms, [&] { order += 'a'; }); });
    scene.until([&] { return order.size() == 3; });
    CHECK((order == "abc" || order == "bac" || order == "bca")); // the host's own timer may be late
    CHECK(order.find('b') < order.find('c'));
}
