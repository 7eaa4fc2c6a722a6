// What the owner of a loop can rely on when he drives it by hand, and when a reactor goes away on it.

#include "support/child.hpp"
#include "support/host_loop.hpp"
#include "support/link.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <uv.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// One of the reactor's callbacks, in which it is destroyed.
using Destroyer = void (*)(std::unique_ptr<UvReactor>& reactor);

void inTimedCall(std::unique_ptr<UvReactor>& reactor) {
    reactor->callLater(0s, [&] { reactor.reset(); });
}

void inPostedCall(std::unique_ptr<UvReactor>& reactor) {
    reactor->callLater(1h, [] {}); // keeps the loop alive
    reactor->callFromThread([&] { reactor.reset(); });
}

void inConnectionMade(std::unique_ptr<UvReactor>& reactor) {
    const auto protocol =
        std::make_shared<HookedProtocol>(ProtocolHooks{.made = [&](HookedProtocol&) { reactor.reset(); }});
    const auto port = reactor->listenTCP(0, HookedFactory::of(protocol), {.interface = "127.0.0.1"});
    reactor->connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::make());
}

} // namespace

TEST_CASE("a call that another thread posted and that arms a timer shows in the loop's time-out at once") {
    HostLoop loop;
    UvReactor reactor(loop.get());
    const HostTimer host(loop, 3'600'000 * 24, [] {}); // so that the loop turns
    DelayedCall armed;
    reactor.callFromThread([&] { armed = reactor.callLater(1h, [] {}); });
    for (int i = 0; i < 1000 && !armed.active(); ++i)
        uv_run(loop.get(), UV_RUN_NOWAIT);
    REQUIRE(armed.active());
    CHECK(uv_backend_timeout(loop.get()) > 0);
    CHECK(uv_backend_timeout(loop.get()) <= 3'600'000);
    armed.cancel();
    uv_run(loop.get(), UV_RUN_NOWAIT);
    CHECK(uv_backend_timeout(loop.get()) > 3'600'000); // the host's own
}

TEST_CASE("what a callback leaves to be done keeps a foreign loop alive at once") {
    HostLoop loop;
    UvReactor reactor(loop.get());
    std::optional<HostTimer> host(std::in_place, loop, 0, [] {});
    bool first = false;
    bool second = false;
    reactor.callFromThread([&] {
        first = true;
        reactor.callLater(0s, [&] { second = true; });
    });
    for (int i = 0; i < 1000 && !first; ++i)
        uv_run(loop.get(), UV_RUN_NOWAIT);
    REQUIRE(first);
    CHECK((second || uv_backend_timeout(loop.get()) == 0));
    CHECK((second || uv_loop_alive(loop.get()) != 0));
    loop.run();
    CHECK(second);
    CHECK(uv_loop_alive(loop.get()) == 0);
}

TEST_CASE("a call that was posted keeps no foreign loop alive: it waits for the loop's next turn") {
    HostLoop loop;
    UvReactor reactor(loop.get());
    bool called = false;
    reactor.callFromThread([&] { called = true; });
    loop.run();
    CHECK_FALSE(called);
    reactor.callLater(1ms, [] {});
    loop.run();
    CHECK(called);
}

TEST_CASE("run() and iterate() on a foreign loop turn though nothing keeps the loop alive, and leave it so") {
    HostLoop loop;
    UvReactor reactor(loop.get(), {.runForeignLoop = true});
    bool called = false;
    reactor.callFromThread([&] { called = true; });
    reactor.iterate();
    CHECK(called);
    loop.run();
    CHECK(uv_loop_alive(loop.get()) == 0);
    std::thread other;
    reactor.callWhenRunning(
        [&] { other = std::thread([&, remote = reactor.remote()] { remote.post([&] { reactor.stop(); }); }); });
    reactor.run();
    other.join();
    CHECK_FALSE(reactor.isRunning());
    loop.run();
    CHECK(uv_loop_alive(loop.get()) == 0);
}

TEST_CASE("a reactor that is destroyed inside one of its own callbacks ends the program with a message") {
    for (const Destroyer destroy : {&inTimedCall, &inPostedCall, &inConnectionMade}) {
        for (const Dispatch dispatch : kDispatches) {
            for (const bool foreign : {false, true}) {
                CAPTURE(foreign);
                const ChildEnd end = runInChild([&] {
                    uv_loop_t loop;
                    uv_loop_init(&loop);
                    auto reactor = foreign ? std::make_unique<UvReactor>(&loop, ReactorOptions{.dispatch = dispatch})
                                           : std::make_unique<UvReactor>(ReactorOptions{.dispatch = dispatch});
                    destroy(reactor);
                    for (int i = 0; i < 1000 && reactor; ++i)
                        foreign ? static_cast<void>(uv_run(&loop, UV_RUN_ONCE)) : reactor->iterate(10ms);
                });
                CHECK(end.wasAborted());
                CHECK(end.said.find("destroyed inside one of its own callbacks") != std::string::npos);
            }
        }
    }
}

TEST_CASE("a reactor may be destroyed in a callback of its loop's owner") {
    for (const Dispatch dispatch : kDispatches) {
        HostLoop loop;
        std::optional<UvReactor> reactor(std::in_place, loop.get(), ReactorOptions{.dispatch = dispatch});
        const auto server = std::make_shared<HookedProtocol>();
        const auto port = reactor->listenTCP(0, HookedFactory::of(server), {.interface = "127.0.0.1"});
        reactor->connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::make());
        for (int i = 0; i < 1000 && server->record->made == 0; ++i)
            uv_run(loop.get(), UV_RUN_ONCE);
        REQUIRE(server->record->made == 1);
        const HostTimer host(loop, 1, [&] { reactor.reset(); });
        loop.run();
        CHECK_FALSE(reactor.has_value());
        CHECK(server->record->lost == 1);
    }
}
