// Acceptance G: run, stop, crash, and running again. These cases call run(): here the reactor owns its loop. Triggers
// are in triggers_test.cpp, draining in drain_test.cpp, signals in signals_test.cpp.

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "conformance/scene.hpp"
#include "support/log_capture.hpp"

#include <reactor/errors.hpp>

#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

using Names = std::vector<std::string>;

} // namespace

CONFORMANCE_CASE("G1 (S-116): stop() and crash() before run() throw ReactorNotRunning") {
    CHECK_THROWS_AS(driver.reactor().stop(), ReactorNotRunning);
    CHECK_THROWS_AS(driver.reactor().crash(), ReactorNotRunning);
}

CONFORMANCE_CASE("G2 (S-116): stop() a second time, or after the end, throws ReactorNotRunning") {
    Reactor& reactor = driver.reactor();
    reactor.callWhenRunning([&] {
        reactor.stop();
        CHECK_THROWS_AS(reactor.stop(), ReactorNotRunning);
    });
    runReactor(driver);
    CHECK_THROWS_AS(reactor.stop(), ReactorNotRunning);
}

CONFORMANCE_CASE("G3 (S-114): callWhenRunning's calls are made in order once the reactor runs") {
    Reactor& reactor = driver.reactor();
    Names names;
    reactor.callWhenRunning([&] { names.push_back(reactor.isRunning() ? "first" : "too early"); });
    reactor.callWhenRunning([&] { names.push_back("second"); });
    reactor.callWhenRunning([&] { reactor.stop(); });
    CHECK(names.empty());
    runReactor(driver);
    CHECK(names == Names{"first", "second"});
}

CONFORMANCE_CASE("G3 (S-114): callWhenRunning in a running reactor makes its call in a later phase, in order") {
    Reactor& reactor = driver.reactor();
    Names names;
    reactor.callWhenRunning([&] {
        reactor.callWhenRunning([&] { names.push_back("second"); });
        reactor.callWhenRunning([&] {
            names.push_back("third");
            reactor.stop();
        });
        names.push_back("first");
    });
    runReactor(driver);
    CHECK(names == Names{"first", "second", "third"});
}

CONFORMANCE_CASE("G4 (S-114): before, during and after startup the reactor is not running, running, running") {
    Reactor& reactor = driver.reactor();
    Names names;
    const auto note = [&](std::string phase) {
        return [&names, &reactor, phase] { names.push_back(phase + (reactor.isRunning() ? " yes" : " no")); };
    };
    reactor.addSystemEventTrigger(EventPhase::After, SystemEvent::Startup, note("after"));
    reactor.addSystemEventTrigger(EventPhase::During, SystemEvent::Startup, note("during"));
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Startup, note("before"));
    reactor.callWhenRunning([&] { reactor.stop(); });
    runReactor(driver);
    CHECK(names == Names{"before no", "during yes", "after yes"});
}

CONFORMANCE_CASE("G6 (S-118): before, during and after shutdown come in this order before run() returns") {
    Reactor& reactor = driver.reactor();
    Names names;
    for (const auto& [phase, name] : {std::pair{EventPhase::After, "after"}, std::pair{EventPhase::During, "during"},
                                      std::pair{EventPhase::Before, "before"}}) {
        reactor.addSystemEventTrigger(phase, SystemEvent::Shutdown, [&names, name = name] { names.push_back(name); });
    }
    reactor.callWhenRunning([&] { reactor.stop(); });
    runReactor(driver);
    CHECK(names == Names{"before", "during", "after"});
}

CONFORMANCE_CASE("G7 (S-117): stop() runs no trigger inside itself, and the reactor still runs when it returns") {
    Reactor& reactor = driver.reactor();
    bool fired = false;
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [&] { fired = true; });
    reactor.callWhenRunning([&] {
        reactor.stop();
        CHECK_FALSE(fired);
        CHECK(reactor.isRunning());
    });
    runReactor(driver);
    CHECK(fired);
    CHECK_FALSE(reactor.isRunning());
}

CONFORMANCE_CASE("G7 (S-117): calls that are due in the turn of stop() are still made before the triggers") {
    Reactor& reactor = driver.reactor();
    Names names;
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [&] { names.push_back("before"); });
    reactor.callLater(0s, [&] { reactor.stop(); });
    reactor.callLater(0s, [&] { names.push_back("due"); });
    runReactor(driver);
    CHECK(names == Names{"due", "before"});
}

CONFORMANCE_CASE("G8 (S-73): a connectionLost that throws at the end keeps the others from nothing") {
    const LogCapture log;
    Scene scene(driver);
    const auto port = scene.listen();
    for (int i = 0; i < 3; ++i)
        scene.connectPair(*port);
    scene.server->protocols[0]->onLost = [](const Failure&) { throw Bug(); };
    scene.client->protocols[1]->onLost = [](const Failure&) { throw Bug(); };
    driver.reactor().callWhenRunning([&] { driver.reactor().stop(); });
    runReactor(driver);
    CHECK(log.count("a bug in user code") == 2);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(scene.server->protocols[i]->lostCount == 1);
        CHECK(scene.client->protocols[i]->lostCount == 1);
    }
    CHECK(scene.client->losses.size() == 3);
    CHECK(scene.log.count("server factory stopped") == 1);
    CHECK(scene.log.count("client factory stopped") == 1);
}

CONFORMANCE_CASE("G9 (S-125): run() inside run() throws ReactorAlreadyRunning, and so does iterate()") {
    Reactor& reactor = driver.reactor();
    reactor.callWhenRunning([&] {
        CHECK_THROWS_AS(reactor.run(), ReactorAlreadyRunning);
        CHECK_THROWS_AS(reactor.iterate(), ReactorAlreadyRunning);
        reactor.stop();
    });
    runReactor(driver);
}

CONFORMANCE_CASE("G10 (S-115): a pending Deferred before startup: the loop runs, and run() returns only after stop()") {
    Reactor& reactor = driver.reactor();
    Promise<void> ready;
    Names names;
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Startup, [&] { return ready.deferred(); });
    reactor.callWhenRunning([&] { names.push_back("started"); });
    reactor.callLater(0s, [&] {
        names.push_back(reactor.isRunning() ? "running" : "not running");
        ready.callback();
        names.push_back(reactor.isRunning() ? "running" : "not running");
        reactor.callLater(0s, [&] { reactor.stop(); });
    });
    runReactor(driver);
    CHECK(names == Names{"not running", "started", "running"});
}

CONFORMANCE_CASE("G10 (S-115): stopped while a Deferred before startup is pending, run() returns") {
    Reactor& reactor = driver.reactor();
    Promise<void> ready;
    bool started = false;
    bool stopped = false;
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Startup, [&] { return ready.deferred(); });
    reactor.addSystemEventTrigger(EventPhase::After, SystemEvent::Startup, [&] { started = true; });
    reactor.addSystemEventTrigger(EventPhase::After, SystemEvent::Shutdown, [&] { stopped = true; });
    reactor.callLater(0s, [&] { reactor.stop(); });
    runReactor(driver);
    CHECK_FALSE(started);
    CHECK(stopped);
    ready.callback(); // too late, and harmless
    CHECK_FALSE(started);
}

CONFORMANCE_CASE("G11 (S-127): iterate() with nothing to do returns at once, in one turn") {
    const std::uint64_t turns = driver.reactor().stats().turns;
    driver.turn();
    CHECK(driver.reactor().stats().turns == turns + 1);
}

CONFORMANCE_CASE("G12 (S-124): after crash() run() returns without triggers, and connections stay open") {
    Scene scene(driver);
    Reactor& reactor = driver.reactor();
    bool triggered = false;
    const TriggerId trigger =
        reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [&] { triggered = true; });
    const auto port = scene.listen();
    scene.connectPair(*port);
    reactor.callWhenRunning([&] { reactor.crash(); });
    runReactor(driver);
    CHECK_FALSE(triggered);
    CHECK_FALSE(reactor.isRunning());
    CHECK(port->isListening());
    CHECK(scene.server->first().transport->isConnected());
    reactor.removeSystemEventTrigger(trigger);
}

CONFORMANCE_CASE("G13 (S-124): after a crash the reactor runs again, with what was open") {
    Scene scene(driver);
    Reactor& reactor = driver.reactor();
    const auto port = scene.listen();
    scene.connectPair(*port);
    reactor.callWhenRunning([&] { reactor.crash(); });
    runReactor(driver);
    scene.server->first().onData = [&](std::string_view) { reactor.stop(); };
    scene.client->first().transport->write("still here");
    runReactor(driver);
    CHECK(scene.server->first().received == "still here");
    CHECK(scene.server->first().lostCount == 1);
}

CONFORMANCE_CASE(
    "G14 (S-124): after stop() the reactor runs again (unlike Twisted's): it listens, connects, and stops") {
    Reactor& reactor = driver.reactor();
    for (int round = 0; round < 3; ++round) {
        Scene scene(driver);
        const auto port = scene.listen();
        scene.connect(*port);
        scene.server->onBuild = [&](RecordingProtocol& protocol) {
            protocol.onData = [&](std::string_view) { reactor.stop(); };
        };
        scene.client->onBuild = [](RecordingProtocol& protocol) {
            protocol.onMade = [&protocol] { protocol.transport->write("hello"); };
        };
        runReactor(driver);
        CHECK(scene.server->first().received == "hello");
        CHECK(scene.server->first().lostCount == 1);
        CHECK(scene.client->first().lostCount == 1);
        CHECK(scene.client->losses.size() == 1);
        CHECK_FALSE(port->isListening());
        CHECK(scene.log.count("server factory stopped") == 1);
        CHECK(reactor.endpoints().empty());
    }
}

CONFORMANCE_CASE("G14 (S-124): a stopped port can be started again when the reactor runs again") {
    Scene scene(driver);
    Reactor& reactor = driver.reactor();
    const auto port = scene.listen();
    reactor.callWhenRunning([&] { reactor.stop(); });
    runReactor(driver);
    port->startListening();
    scene.connectPair(*port);
    CHECK(scene.log.count("server factory started") == 2);
}

CONFORMANCE_CASE("S-117: stop() in the first call of all ends the reactor") {
    Reactor& reactor = driver.reactor();
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Startup, [&] { reactor.stop(); });
    runReactor(driver);
    CHECK_FALSE(reactor.isRunning());
}

CONFORMANCE_CASE("S-124: crash() in a trigger of the startup ends run()") {
    Reactor& reactor = driver.reactor();
    reactor.addSystemEventTrigger(EventPhase::During, SystemEvent::Startup, [&] { reactor.crash(); });
    runReactor(driver);
    CHECK_FALSE(reactor.isRunning());
}

CONFORMANCE_CASE("S-124: crash() while before-shutdown triggers are waited for ends run() without the others") {
    Reactor& reactor = driver.reactor();
    Promise<void> never;
    bool after = false;
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [&] { return never.deferred(); });
    reactor.addSystemEventTrigger(EventPhase::After, SystemEvent::Shutdown, [&] { after = true; });
    reactor.callLater(0s, [&] {
        reactor.stop();
        reactor.callLater(1ms, [&] { reactor.crash(); });
    });
    runReactor(driver);
    CHECK_FALSE(after);
    never.callback();
    CHECK_FALSE(after);
}

CONFORMANCE_CASE(
    "S-119: in during- and after-shutdown triggers the reactor does not run and all connections are lost") {
    Scene scene(driver);
    Reactor& reactor = driver.reactor();
    const auto port = scene.listen();
    scene.connectPair(*port);
    int checked = 0;
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [&] {
        CHECK(reactor.isRunning());
        CHECK(scene.server->first().transport->isConnected());
    });
    for (const EventPhase phase : {EventPhase::During, EventPhase::After}) {
        reactor.addSystemEventTrigger(phase, SystemEvent::Shutdown, [&] {
            ++checked;
            CHECK_FALSE(reactor.isRunning());
            CHECK(scene.server->first().lost());
            CHECK(scene.client->first().lost());
            CHECK_FALSE(port->isListening());
        });
    }
    reactor.callWhenRunning([&] { reactor.stop(); });
    runReactor(driver);
    CHECK(checked == 2);
}

CONFORMANCE_CASE("S-120: calls scheduled in during- and after-shutdown triggers are not made by this run()") {
    Reactor& reactor = driver.reactor();
    ScopedCall late;
    bool called = false;
    reactor.addSystemEventTrigger(EventPhase::During, SystemEvent::Shutdown,
                                  [&] { late = reactor.callLater(0s, [&] { called = true; }); });
    reactor.callWhenRunning([&] { reactor.stop(); });
    runReactor(driver);
    CHECK_FALSE(called);
}

CONFORMANCE_CASE("S-85: a connection that is opened in connectionLost at the end is closed as well") {
    Scene scene(driver);
    Reactor& reactor = driver.reactor();
    const auto port = scene.listen();
    scene.connectPair(*port);
    scene.client->onLost = [&](Connector& connector) {
        scene.client->onLost = nullptr;
        connector.connect();
    };
    reactor.callWhenRunning([&] { reactor.stop(); });
    runReactor(driver);
    CHECK(scene.client->losses.size() == 1);
    CHECK(scene.client->failures.size() == 1); // the second attempt
    CHECK(reactor.endpoints().empty());
    CHECK(scene.log.count("client factory stopped") == 1);
}

CONFORMANCE_CASE("S-143: stop() may be called from another thread through callFromThread, before run() and in it") {
    Reactor& reactor = driver.reactor();
    const auto stopFromThread = [&] {
        return std::thread([remote = reactor.remote(), &reactor] { remote.post([&reactor] { reactor.stop(); }); });
    };
    stopFromThread().join();
    runReactor(driver);
    CHECK_FALSE(reactor.isRunning());
    std::thread other;
    reactor.callWhenRunning([&] { other = stopFromThread(); });
    if (driver.isReal()) {
        runReactor(driver);
    } else {
        reactor.run(); // its time jumps to whatever is due: nothing may be, while a thread is waited for
    }
    other.join();
    CHECK_FALSE(reactor.isRunning());
}

CONFORMANCE_CASE("S-76: what a call throws is logged, and the loop goes on") {
    const LogCapture log;
    Reactor& reactor = driver.reactor();
    reactor.callWhenRunning([] { throw Bug(); });
    reactor.callLater(0s, [] { throw Bug(); });
    reactor.callFromThread([] { throw Bug(); });
    reactor.callFromThread([&] { reactor.callLater(0s, [&] { reactor.stop(); }); }); // a turn after all of them
    runReactor(driver);
    CHECK(log.count("a bug in user code") == 3);
}

CONFORMANCE_CASE("a reactor may be destroyed with everything open after a crash: each is told, in order of creation") {
    Scene scene(driver);
    Reactor& reactor = driver.reactor();
    const auto port = scene.listen();
    scene.connectPair(*port);
    scriptNames(driver).setSilent("silent.example");
    reactor.connectTCP("silent.example", 1, scene.client);
    const DelayedCall pending = reactor.callLater(1h, [] { FAIL("called by a reactor that is gone"); });
    reactor.callWhenRunning([&] { reactor.crash(); });
    runReactor(driver);
    driver.destroyReactor();
    CHECK(scene.server->first().lostCount == 1);
    CHECK(scene.client->first().lostCount == 1);
    CHECK(scene.client->losses.size() == 1);
    CHECK(scene.client->failures.size() == 1);
    CHECK(scene.log.count("server factory stopped") == 1);
    CHECK(scene.log.count("client factory stopped") == 1);
    CHECK_FALSE(pending.active());
}
