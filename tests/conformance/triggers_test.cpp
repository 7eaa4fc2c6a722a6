// Acceptance G15 to G26: the triggers of system events, seen from run(). tests/reactor/three_phase_event_test.cpp shows
// the same of the event alone.

#include "conformance/driver.hpp"
#include "conformance/scene.hpp"
#include "support/log_capture.hpp"

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

using Names = std::vector<std::string>;

/// Adds triggers of the shutdown that note their name, then stops a running reactor.
struct Triggers {
    explicit Triggers(Driver& theDriver) : driver(theDriver) {}

    TriggerId note(EventPhase phase, std::string name) {
        return add(phase, [this, name = std::move(name)] { names.push_back(name); });
    }
    template <class F>
    TriggerId add(EventPhase phase, F&& f) {
        return driver.reactor().addSystemEventTrigger(phase, SystemEvent::Shutdown, std::forward<F>(f));
    }
    void remove(TriggerId id) { driver.reactor().removeSystemEventTrigger(id); }

    void runAndStop() {
        driver.reactor().callWhenRunning([this] { driver.reactor().stop(); });
        runReactor(driver);
    }

    Driver& driver;
    Names names;
};

} // namespace

CONFORMANCE_CASE("G15: triggers run phase by phase, and in the order in which they were added") {
    Triggers triggers(driver);
    triggers.note(EventPhase::After, "after 1");
    triggers.note(EventPhase::During, "during 1");
    triggers.note(EventPhase::Before, "before 1");
    triggers.note(EventPhase::After, "after 2");
    triggers.note(EventPhase::During, "during 2");
    triggers.note(EventPhase::Before, "before 2");
    triggers.runAndStop();
    CHECK(triggers.names == Names{"before 1", "before 2", "during 1", "during 2", "after 1", "after 2"});
}

CONFORMANCE_CASE("G16 (S-118): a before-trigger's Deferred is waited for, and connections stay usable meanwhile") {
    Scene scene(driver);
    Triggers triggers(driver);
    const auto port = scene.listen();
    scene.connectPair(*port);
    Promise<void> done;
    triggers.add(EventPhase::Before, [&] {
        scene.client->first().transport->write("farewell");
        return done.deferred();
    });
    triggers.note(EventPhase::During, "during");
    scene.server->first().onData = [&](std::string_view) {
        CHECK(triggers.names.empty());
        CHECK(driver.reactor().isRunning());
        done.callback();
    };
    triggers.runAndStop();
    CHECK(scene.server->first().received == "farewell");
    CHECK(triggers.names == Names{"during"});
}

CONFORMANCE_CASE("G17 (S-72): what a before-trigger throws is logged, and the rest runs") {
    const LogCapture log;
    Triggers triggers(driver);
    triggers.add(EventPhase::Before, [] { throw Bug(); });
    triggers.note(EventPhase::Before, "before");
    triggers.note(EventPhase::During, "during");
    triggers.runAndStop();
    CHECK(triggers.names == Names{"before", "during"});
    CHECK(log.count("a bug in user code") == 1);
}

CONFORMANCE_CASE("G18 (S-72): what a during-trigger throws is logged, and the rest runs") {
    const LogCapture log;
    Triggers triggers(driver);
    triggers.add(EventPhase::During, [] { throw Bug(); });
    triggers.note(EventPhase::During, "during");
    triggers.add(EventPhase::After, [] { throw Bug(); });
    triggers.note(EventPhase::After, "after");
    triggers.runAndStop();
    CHECK(triggers.names == Names{"during", "after"});
    CHECK(log.count("a bug in user code") == 2);
}

CONFORMANCE_CASE("G19 (S-122): a before-trigger may take back a later one of its phase") {
    Triggers triggers(driver);
    TriggerId later;
    triggers.add(EventPhase::Before, [&] { triggers.remove(later); });
    later = triggers.note(EventPhase::Before, "removed");
    triggers.note(EventPhase::Before, "kept");
    triggers.runAndStop();
    CHECK(triggers.names == Names{"kept"});
}

CONFORMANCE_CASE("G20 (S-122): a before-trigger may take back a during-trigger") {
    Triggers triggers(driver);
    TriggerId later;
    triggers.add(EventPhase::Before, [&] { triggers.remove(later); });
    later = triggers.note(EventPhase::During, "removed");
    triggers.note(EventPhase::During, "kept");
    triggers.runAndStop();
    CHECK(triggers.names == Names{"kept"});
}

CONFORMANCE_CASE("G21 (S-122): a during-trigger may be taken back while a before-trigger's Deferred is waited for") {
    Triggers triggers(driver);
    Promise<void> done;
    triggers.add(EventPhase::Before, [&] { return done.deferred(); });
    const TriggerId later = triggers.note(EventPhase::During, "removed");
    triggers.note(EventPhase::During, "kept");
    driver.reactor().addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [&] {
        driver.reactor().callLater(0s, [&] {
            triggers.remove(later);
            done.callback();
        });
    });
    triggers.runAndStop();
    CHECK(triggers.names == Names{"kept"});
}

CONFORMANCE_CASE("G22 (S-122): a trigger that was removed, has run, or never was cannot be removed") {
    Triggers triggers(driver);
    const TriggerId removed = triggers.note(EventPhase::Before, "removed");
    const TriggerId ran = triggers.note(EventPhase::Before, "ran");
    triggers.remove(removed);
    CHECK_THROWS_AS(triggers.remove(removed), std::invalid_argument);
    CHECK_THROWS_AS(triggers.remove(TriggerId{}), std::invalid_argument);
    triggers.runAndStop();
    CHECK(triggers.names == Names{"ran"});
    CHECK_THROWS_AS(triggers.remove(ran), std::invalid_argument);
}

CONFORMANCE_CASE("G23 (S-121): a trigger runs once; when the reactor runs and stops again it is gone") {
    Triggers triggers(driver);
    triggers.note(EventPhase::Before, "before");
    triggers.note(EventPhase::After, "after");
    triggers.runAndStop();
    triggers.runAndStop();
    CHECK(triggers.names == Names{"before", "after"});
}

CONFORMANCE_CASE("G24 (S-118): all Deferreds of before-triggers are waited for, failed ones included") {
    const LogCapture log;
    Triggers triggers(driver);
    Promise<void> first;
    Promise<void> second;
    triggers.add(EventPhase::Before, [&] { return first.deferred(); });
    triggers.add(EventPhase::Before, [&] { return second.deferred(); });
    triggers.note(EventPhase::During, "during");
    triggers.add(EventPhase::Before, [&] {
        driver.reactor().callLater(0s, [&] {
            second.errback(Failure::fromException(std::make_exception_ptr(Bug())));
            driver.reactor().callLater(0s, [&] {
                triggers.names.push_back("last Deferred");
                first.callback();
            });
        });
    });
    triggers.runAndStop();
    CHECK(triggers.names == Names{"last Deferred", "during"});
    CHECK(log.count("a bug in user code") == 1);
}

CONFORMANCE_CASE(
    "G25 (S-118): a trigger may fire an earlier one's Deferred; the other before-triggers still run first") {
    Triggers triggers(driver);
    Promise<void> done;
    triggers.add(EventPhase::Before, [&] { return done.deferred(); });
    triggers.add(EventPhase::Before, [&] { done.callback(); });
    triggers.note(EventPhase::Before, "before");
    triggers.note(EventPhase::During, "during");
    triggers.runAndStop();
    CHECK(triggers.names == Names{"before", "during"});
}

CONFORMANCE_CASE("G26 (S-123): a startup that waits keeps the shutdown from nothing") {
    Triggers triggers(driver);
    Promise<void> never;
    driver.reactor().addSystemEventTrigger(EventPhase::Before, SystemEvent::Startup, [&] { return never.deferred(); });
    triggers.note(EventPhase::Before, "before");
    triggers.note(EventPhase::After, "after");
    driver.reactor().callLater(0s, [&] { driver.reactor().stop(); });
    runReactor(driver);
    CHECK(triggers.names == Names{"before", "after"});
}

CONFORMANCE_CASE("S-118: a before-trigger that is added in a before-trigger runs in the same phase") {
    Triggers triggers(driver);
    triggers.add(EventPhase::Before, [&] { triggers.note(EventPhase::Before, "added"); });
    triggers.note(EventPhase::During, "during");
    triggers.runAndStop();
    CHECK(triggers.names == Names{"added", "during"});
}

CONFORMANCE_CASE("S-119: what during- and after-triggers return is not waited for; a failure of it is logged") {
    const LogCapture log;
    Triggers triggers(driver);
    Promise<void> never;
    triggers.add(EventPhase::During, [&] { return never.deferred(); });
    triggers.add(EventPhase::After,
                 [] { return Deferred<void>::fail(Failure::fromException(std::make_exception_ptr(Bug()))); });
    triggers.note(EventPhase::After, "after");
    triggers.runAndStop();
    CHECK(triggers.names == Names{"after"});
    CHECK(log.count("a bug in user code") == 1);
}
