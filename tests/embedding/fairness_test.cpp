// Nobody starves: neither the host beside a busy reactor, nor the reactor beside a busy host (H19).

#include "embedding/busy.hpp"
#include "embedding/suite.hpp"
#include "support/hosted.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// Events and timers of the host's own, each of which brings about the next.
struct HostWork {
    explicit HostWork(HostScene& scene) : host(*scene.host) {
        host.watch(pipe.descriptor(), [this] {
            pipe.take();
            ++events;
            pipe.send();
        });
        pipe.send();
        again();
    }

    void again() {
        host.after(1ms, [this] {
            ++timers;
            if (goesOn)
                again();
        });
    }

    /// Before it goes.
    void end(HostScene& scene) {
        goesOn = false;
        host.watch(pipe.descriptor(), [this] { pipe.take(); });
        const int last = timers;
        scene.until([&] { return timers > last; });
    }

    Host& host;
    EventPipe pipe;
    int events = 0;
    int timers = 0;
    bool goesOn = true;
};

void checkFair(HostScene& scene) {
    const auto busy = makeBusy(scene, 10);
    HostWork work(scene);
    Restless restless(*scene.reactor);
    HostPair pair(scene, echoing());
    for (std::size_t i = 1; i <= 20; ++i) {
        const int events = work.events;
        const int timers = work.timers;
        const int calls = restless.calls;
        pair.client->transport->write("y");
        scene.until([&] { return pair.client->record->received.size() == i; });
        scene.until([&] { return work.events > events && work.timers > timers && restless.calls > calls; });
    }
    work.end(scene);
    for (const auto& each : busy)
        each->client->transport->abortConnection();
    for (const auto& each : busy)
        scene.until([&] { return each->server->record->lost != 0; });
}

} // namespace

HOST_CASE("H19: the host's events and timers, busy connections and restless timers of the reactor's take turns") {
    checkFair(scene);
}

BUDGET_CASE("H19: they take turns when each dispatch ends after a callback, too, and everything is done in the end") {
    checkFair(scene);
}

BUDGET_CASE("H19: what a budget leaves over is done while the host has nothing else to do") {
    scene.settle();
    int calls = 0;
    host.after(1ms, [&] {
        for (int i = 0; i < 50; ++i) {
            reactor.callLater(0ms, [&] {
                ++calls;
                torsion::test::work(reactor, 2us);
            });
            reactor.callFromThread([&] {
                ++calls;
                torsion::test::work(reactor, 2us);
            });
        }
    });
    scene.until([&] { return calls == 100; });
    scene.settle();
}
