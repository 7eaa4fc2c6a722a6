// How a reactor begins and ends on a loop that its owner runs.

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
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

using Names = std::vector<std::string>;

bool isAlive(HostLoop& loop) {
    return uv_loop_alive(loop.get()) != 0;
}

} // namespace

TEST_CASE(
    "start() on a foreign loop runs the startup triggers; stop() ends as its owner runs it; any number of times") {
    for (const Dispatch dispatch : kDispatches) {
        HostLoop loop;
        UvReactor reactor(loop.get(), {.dispatch = dispatch});
        Names names;
        reactor.onStopped([&] { names.push_back("stopped"); });
        for (int round = 0; round < 3; ++round) {
            names.clear();
            reactor.callWhenRunning([&] { names.push_back(reactor.isRunning() ? "running" : "too early"); });
            reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [&] {
                names.push_back("before");
                return reactor.sleep(1ms); // waited for, though nothing else keeps the loop alive
            });
            reactor.addSystemEventTrigger(EventPhase::After, SystemEvent::Shutdown, [&] { names.push_back("after"); });
            reactor.start();
            CHECK_THROWS_AS(reactor.start(), ReactorAlreadyRunning);
            CHECK(names == Names{"running"});
            const auto port = reactor.listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1"});
            reactor.callLater(0ms, [&] { reactor.stop(); });
            loop.run();
            CHECK(names == Names{"running", "before", "after", "stopped"});
            CHECK_FALSE(reactor.isRunning());
            CHECK_FALSE(port->isListening());
            CHECK_FALSE(isAlive(loop));
        }
    }
}

TEST_CASE("a reactor that was started keeps no foreign loop alive, and stops whenever that runs") {
    HostLoop loop;
    UvReactor reactor(loop.get());
    bool stopped = false;
    reactor.onStopped([&] { stopped = true; });
    reactor.start();
    loop.run();
    CHECK(reactor.isRunning());
    reactor.stop();
    CHECK_FALSE(stopped);
    CHECK(isAlive(loop));
    loop.run();
    CHECK(stopped);
    reactor.start();
    reactor.crash();
    stopped = false;
    loop.run();
    CHECK(stopped);
}

TEST_CASE("calls for threads are made before a reactor on a foreign loop has stopped") {
    HostLoop loop;
    UvReactor reactor(loop.get());
    bool called = false;
    reactor.start();
    reactor.callInThread([&] { called = true; });
    reactor.stop();
    loop.run();
    CHECK(called);
    CHECK_FALSE(isAlive(loop));
}

TEST_CASE("a reactor on a foreign loop may be destroyed when it is told to have stopped, and the loop be closed") {
    for (const Dispatch dispatch : kDispatches) {
        HostLoop loop;
        std::optional<UvReactor> reactor(std::in_place, loop.get(), ReactorOptions{.dispatch = dispatch});
        const auto port = reactor->listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1"});
        reactor->connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::make());
        reactor->onStopped([&] { reactor.reset(); });
        reactor->start();
        reactor->callLater(1ms, [&] { reactor->stop(); });
        loop.run();
        CHECK_FALSE(reactor.has_value());
        CHECK(loop.close() == 0);
    }
}

TEST_CASE("of two reactors on one loop each starts and stops alone") {
    HostLoop loop;
    UvReactor first(loop.get());
    UvReactor second(loop.get());
    Names names;
    first.onStopped([&] { names.push_back("first"); });
    second.onStopped([&] { names.push_back("second"); });
    first.start();
    second.start();
    const auto port = second.listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1"});
    first.callLater(0ms, [&] { first.stop(); });
    second.callLater(10ms, [&] {
        CHECK(names == Names{"first"});
        CHECK(second.isRunning());
        CHECK(port->isListening());
        second.stop();
    });
    loop.run();
    CHECK(names == Names{"first", "second"});
    CHECK_FALSE(isAlive(loop));
}

TEST_CASE("when run() on a foreign loop has returned nothing of the reactor's keeps that alive") {
    for (const Dispatch dispatch : kDispatches) {
        HostLoop loop;
        UvReactor reactor(loop.get(), {.dispatch = dispatch, .runForeignLoop = true});
        const auto port = reactor.listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1"});
        reactor.callWhenRunning([&] { reactor.stop(); });
        reactor.run();
        for (int i = 0; i < 10 && isAlive(loop); ++i)
            uv_run(loop.get(), UV_RUN_NOWAIT); // the port's handle is closed
        CHECK_FALSE(isAlive(loop));
        reactor.callWhenRunning([&] { reactor.stop(); });
        reactor.run();
        CHECK_FALSE(isAlive(loop));
    }
}
