#include "support/log_capture.hpp"

#include <doctest/doctest.h>

#include <reactor/core/three_phase_event.hpp>
#include <reactor/failure.hpp>

#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace torsion;
using torsion::core::ThreePhaseEvent;
using torsion::test::LogCapture;

namespace {

using Names = std::vector<std::string>;

struct Bug : std::runtime_error {
    Bug() : std::runtime_error("a bug in a trigger") {}
};

/// An event whose triggers note their names.
struct Fixture {
    TriggerId add(EventPhase phase, std::string name) {
        return add(phase, [this, name = std::move(name)] {
            names.push_back(name);
            return Deferred<void>::succeed();
        });
    }
    TriggerId add(EventPhase phase, ThreePhaseEvent::Trigger trigger) {
        const TriggerId id{++last};
        event->add(id, phase, std::move(trigger));
        return id;
    }
    void fire() {
        event->fire(
            [this] {
                names.push_back("own");
                return Deferred<void>::succeed();
            },
            [this] { names.push_back("done"); });
    }

    std::optional<ThreePhaseEvent> event{std::in_place, "test"};
    Names names;
    std::uint64_t last = 0;
};

} // namespace

TEST_CASE_FIXTURE(Fixture, "G15: phases come in order, and the reactor's own part before the during-triggers") {
    add(EventPhase::After, "after");
    add(EventPhase::During, "during");
    add(EventPhase::Before, "before");
    fire();
    CHECK(names == Names{"before", "own", "during", "after", "done"});
}

TEST_CASE_FIXTURE(Fixture, "an event without triggers does the reactor's part") {
    fire();
    CHECK(names == Names{"own", "done"});
}

TEST_CASE_FIXTURE(Fixture, "G16: a before-trigger's Deferred is waited for") {
    Promise<void> promise;
    add(EventPhase::Before, [&] { return promise.deferred(); });
    add(EventPhase::Before, "before");
    add(EventPhase::During, "during");
    fire();
    CHECK(names == Names{"before"});
    promise.callback();
    CHECK(names == Names{"before", "own", "during", "done"});
}

TEST_CASE_FIXTURE(Fixture, "the Deferred of the reactor's own part is waited for") {
    Promise<void> promise;
    add(EventPhase::During, "during");
    event->fire([&] { return promise.deferred(); }, [&] { names.push_back("done"); });
    CHECK(names.empty());
    promise.callback();
    CHECK(names == Names{"during", "done"});
}

TEST_CASE_FIXTURE(Fixture, "G17, G18: what triggers throw is logged with the event's name, and the rest runs") {
    const LogCapture log;
    for (const EventPhase phase : {EventPhase::Before, EventPhase::During, EventPhase::After}) {
        add(phase, []() -> Deferred<void> { throw Bug(); });
        add(phase, "other");
    }
    fire();
    CHECK(names == Names{"other", "own", "other", "other", "done"});
    CHECK(log.count("a bug in a trigger") == 3);
    CHECK(log.count("trigger of test") == 3);
}

TEST_CASE_FIXTURE(Fixture, "S-118: a before-trigger's Deferred that fails is logged, and the rest goes on") {
    const LogCapture log;
    Promise<void> promise;
    add(EventPhase::Before, [&] { return promise.deferred(); });
    fire();
    promise.errback(Failure::fromException(std::make_exception_ptr(Bug())));
    CHECK(names == Names{"own", "done"});
    CHECK(log.contains("a bug in a trigger"));
}

TEST_CASE_FIXTURE(Fixture, "a before-trigger's promise that is dropped does not hold the event up") {
    const LogCapture log;
    std::optional<Promise<void>> promise(std::in_place);
    add(EventPhase::Before, [&] { return promise->deferred(); });
    fire();
    CHECK(names.empty());
    promise.reset();
    CHECK(names == Names{"own", "done"});
    CHECK(log.contains("BrokenPromiseError"));
}

TEST_CASE_FIXTURE(Fixture, "G19, G20: a before-trigger may remove later ones, of its phase and of others") {
    TriggerId before;
    TriggerId during;
    add(EventPhase::Before, [&] {
        CHECK(event->remove(before));
        CHECK(event->remove(during));
        return Deferred<void>::succeed();
    });
    before = add(EventPhase::Before, "removed");
    during = add(EventPhase::During, "removed");
    add(EventPhase::During, "kept");
    fire();
    CHECK(names == Names{"own", "kept", "done"});
}

TEST_CASE_FIXTURE(Fixture, "G21: a during-trigger may be removed while a Deferred is waited for") {
    Promise<void> promise;
    add(EventPhase::Before, [&] { return promise.deferred(); });
    const TriggerId during = add(EventPhase::During, "removed");
    fire();
    CHECK(event->remove(during));
    promise.callback();
    CHECK(names == Names{"own", "done"});
}

TEST_CASE_FIXTURE(Fixture, "G22: what was removed, has run, or never was there cannot be removed") {
    const TriggerId removed = add(EventPhase::Before, "removed");
    const TriggerId ran = add(EventPhase::Before, "ran");
    CHECK(event->remove(removed));
    CHECK_FALSE(event->remove(removed));
    CHECK_FALSE(event->remove(TriggerId{99}));
    fire();
    CHECK_FALSE(event->remove(ran));
}

TEST_CASE_FIXTURE(Fixture, "a trigger may not remove itself: it runs already") {
    TriggerId self;
    self = add(EventPhase::Before, [&] {
        CHECK_FALSE(event->remove(self));
        return Deferred<void>::succeed();
    });
    fire();
    CHECK(names == Names{"own", "done"});
}

TEST_CASE_FIXTURE(Fixture, "G23: triggers run once") {
    add(EventPhase::Before, "before");
    add(EventPhase::After, "after");
    fire();
    fire();
    CHECK(names == Names{"before", "own", "after", "done", "own", "done"});
}

TEST_CASE_FIXTURE(Fixture, "G24: several Deferreds are all waited for") {
    Promise<void> first;
    Promise<void> second;
    add(EventPhase::Before, [&] { return first.deferred(); });
    add(EventPhase::Before, [&] { return second.deferred(); });
    fire();
    second.callback();
    CHECK(names.empty());
    first.callback();
    CHECK(names == Names{"own", "done"});
}

TEST_CASE_FIXTURE(Fixture, "G25: a trigger may fire an earlier one's Deferred; the others of the phase run first") {
    Promise<void> promise;
    add(EventPhase::Before, [&] { return promise.deferred(); });
    add(EventPhase::Before, [&] {
        promise.callback();
        return Deferred<void>::succeed();
    });
    add(EventPhase::Before, "before");
    fire();
    CHECK(names == Names{"before", "own", "done"});
}

TEST_CASE_FIXTURE(Fixture, "a trigger that is added in its phase runs in it, one added to a past phase does not") {
    add(EventPhase::During, [&] {
        add(EventPhase::During, "added");
        add(EventPhase::Before, "too late");
        return Deferred<void>::succeed();
    });
    fire();
    CHECK(names == Names{"own", "added", "done"});
    fire();
    CHECK(names == Names{"own", "added", "done", "too late", "own", "done"});
}

TEST_CASE_FIXTURE(Fixture, "an abandoned event goes on neither by itself nor by the Deferreds it waited for") {
    Promise<void> promise;
    add(EventPhase::Before, [&] { return promise.deferred(); });
    add(EventPhase::During, "during");
    fire();
    event->abandon();
    promise.callback();
    CHECK(names.empty());
    fire();
    CHECK(names == Names{"own", "during", "done"});
}

TEST_CASE_FIXTURE(Fixture, "a Deferred of an abandoned fire does not count for the next one") {
    Promise<void> old;
    Promise<void> fresh;
    add(EventPhase::Before, [&] { return old.deferred(); });
    fire();
    event->abandon();
    add(EventPhase::Before, [&] { return fresh.deferred(); });
    fire();
    old.callback();
    CHECK(names.empty());
    fresh.callback();
    CHECK(names == Names{"own", "done"});
}

TEST_CASE_FIXTURE(Fixture, "a trigger may abandon the event, or destroy it: nothing more runs") {
    SUBCASE("abandon") {
        add(EventPhase::Before, [&] {
            event->abandon();
            return Deferred<void>::succeed();
        });
    }
    SUBCASE("destroy") {
        add(EventPhase::Before, [&] {
            event.reset();
            return Deferred<void>::succeed();
        });
    }
    add(EventPhase::Before, "before");
    add(EventPhase::During, "during");
    fire();
    CHECK(names.empty());
}

TEST_CASE_FIXTURE(Fixture, "an event may be destroyed while it waits") {
    Promise<void> promise;
    add(EventPhase::Before, [&] { return promise.deferred(); });
    fire();
    event.reset();
    promise.callback();
    CHECK(names.empty());
}
