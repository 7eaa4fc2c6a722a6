// A child process of a host that can have one (H8).

#include "embedding/suite.hpp"
#include "support/child.hpp"
#include "support/raw_socket.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// What a child does; false is written about on stderr, which the parent reads.
void expect(bool holds, const char* what) {
    if (!holds)
        std::fprintf(stderr, "not so: %s\n", what);
}

/// @returns whether a peer of its own gets its bytes back.
bool isServed(HostScene& scene, const ListeningPort& port) {
    RawSocket peer = RawSocket::connectTo(port.getHost().port());
    peer.send("hello");
    std::string received;
    return scene.host->runUntil([&] { return (received += peer.receive()) == "hello"; }, 10s);
}

} // namespace

ADAPTER_CASE("H8: after fork() the host goes on in the child, and the parent's hears nothing of it") {
    if (!host.forks())
        return;
    const auto port = scene.listenEcho();
    DelayedCall late = reactor.callLater(1h, [] {});
    scene.settle();
    const ChildEnd end = runInChild([&] {
        host.beginInChild(*scene.embedding);
        bool called = false;
        reactor.callLater(1ms, [&] { called = true; });
        expect(host.runUntil([&] { return called; }, 10s), "a timed call is made");
        bool posted = false;
        reactor.callFromThread([&] { posted = true; });
        expect(host.runUntil([&] { return posted; }, 10s), "a posted call is made");
        expect(isServed(scene, *port), "the child serves");
        late.cancel();
        port->stopListening().detach();
        scene.settle();
    });
    CHECK(end.said == "");
    CHECK(end.status == 0);
    CHECK(isServed(scene, *port));
    CHECK(late.active());
}

ADAPTER_CASE("H8: what wakes the parent's reactor does not wake the child's host") {
    if (!host.forks())
        return;
    scene.settle();
    bool posted = false;
    reactor.callFromThread([&] { posted = true; }); // the parent's loop is readable until it goes on
    const ChildEnd end = runInChild([&] {
        host.beginInChild(*scene.embedding);
        scene.settle();
        const auto before = scene.dispatches();
        const auto since = std::chrono::steady_clock::now();
        bool later = false;
        host.after(100ms, [&] { later = true; });
        expect(host.runUntil([&] { return later; }, 10s), "the host goes on");
        expect(scene.dispatches() - before < 5 && !spins(scene, before, since), "it sleeps");
    });
    CHECK(end.said == "");
    CHECK(end.status == 0);
    scene.until([&] { return posted; });
}
