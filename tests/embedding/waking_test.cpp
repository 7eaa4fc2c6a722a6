// What comes from elsewhere (threads, name look-ups) wakes a host that sleeps.

#include "embedding/suite.hpp"

#include <reactor/names.hpp>
#include <reactor/threads.hpp>

#include <doctest/doctest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

HOST_CASE("callFromThread wakes an idle host, each time") {
    constexpr int kCalls = 100;
    scene.settle();
    int calls = 0;
    bool onItsThread = true;
    bool ended = false;
    {
        const std::jthread other([&, remote = reactor.remote(), home = std::this_thread::get_id()] {
            for (int i = 0; i < kCalls; ++i) {
                std::promise<void> called; // the host has gone to sleep again, or is about to
                remote.post([&] {
                    ++calls;
                    onItsThread = onItsThread && std::this_thread::get_id() == home;
                    called.set_value();
                });
                if (called.get_future().wait_for(20s) != std::future_status::ready)
                    break;
            }
            remote.post([&] { ended = true; });
        });
        scene.until([&] { return ended; });
    }
    CHECK(calls == kCalls);
    CHECK(onItsThread);
}

HOST_CASE("work on a thread completes while the host is idle") {
    scene.settle();
    reactor.start();
    int result = 0;
    auto deferred = deferToThread(
        reactor, [](int n) { return n + 1; }, 41);
    std::move(deferred).addCallback([&](int n) { result = n; }).detach();
    scene.until([&] { return result == 42; });
    bool called = false;
    host.after(1ms, [&] { reactor.callInThread([&] { reactor.callFromThread([&] { called = true; }); }); });
    scene.until([&] { return called; });
}

HOST_CASE("a name is looked up while the host is idle, and a connection to it made") {
    scene.settle();
    reactor.start();
    const auto port = scene.listenEcho();
    const auto client = std::make_shared<HookedProtocol>(
        ProtocolHooks{.made = [](HookedProtocol& self) { self.transport->write("hello"); }});
    reactor.connectTCP("localhost", port->getHost().port(), HookedFactory::of(client));
    scene.until([&] { return client->record->received == "hello"; });
}
