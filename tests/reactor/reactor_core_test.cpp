// A reactor's beginning and end, where they do not go as they usually do.

#include "support/hooked_protocol.hpp"
#include "support/scripted_reactor.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <typeinfo>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;
using testing::MemoryReactor;

namespace {

/// A reactor whose backend cannot start while `fails`.
class Unstartable final : public ScriptedReactor {
public:
    bool fails = true;

private:
    void onStarted() override {
        if (fails)
            throw std::runtime_error("cannot start");
    }
};

/// run() that throws, and leaves nothing behind.
void checkDoesNotStart(Unstartable& reactor) {
    CHECK_THROWS_WITH_AS(reactor.run(), "cannot start", std::runtime_error);
    CHECK_FALSE(reactor.isRunning());
    CHECK_THROWS_AS(reactor.stop(), ReactorNotRunning);
    CHECK_THROWS_AS(reactor.crash(), ReactorNotRunning);
}

template <class R>
void checkCallablesAreDroppedWhole() {
    constexpr int kHeld = 9;
    int dropped = 0;
    int whole = 0; // times that the reactor was all there
    std::optional<R> made(std::in_place);
    Reactor& reactor = *made;
    const auto user = [&] {
        return std::shared_ptr<void>(nullptr, [&](void*) {
            ++dropped;
            if (typeid(reactor) != typeid(R))
                return; // half destroyed: its functions may not be called
            ++whole;
            CHECK(reactor.now() >= TimePoint());
            reactor.callLater(1h, [] { FAIL("called by a reactor that is gone"); });
        });
    };
    for (const EventPhase phase : {EventPhase::Before, EventPhase::During, EventPhase::After}) {
        for (const SystemEvent event : {SystemEvent::Startup, SystemEvent::Shutdown})
            reactor.addSystemEventTrigger(phase, event, [held = user()] {});
    }
    reactor.callWhenRunning([held = user()] {});
    reactor.callFromThread([held = user()] {});
    reactor.callLater(1h, [held = user()] {});
    made.reset();
    CHECK(dropped == kHeld);
    CHECK(whole == kHeld);
}

} // namespace

TEST_CASE("what triggers and calls hold may use the reactor when its end destroys them") {
    SUBCASE("UvReactor") {
        checkCallablesAreDroppedWhole<UvReactor>();
    }
    SUBCASE("MemoryReactor") {
        checkCallablesAreDroppedWhole<MemoryReactor>();
    }
}

TEST_CASE("run() that cannot start throws why, and the reactor can be run again") {
    Unstartable reactor;
    int running = 0;
    reactor.callWhenRunning([&] { ++running; });
    checkDoesNotStart(reactor);
    checkDoesNotStart(reactor);
    CHECK(running == 0);
    reactor.fails = false;
    reactor.callWhenRunning([&] { reactor.stop(); });
    reactor.run();
    CHECK(running == 1);
    CHECK_FALSE(reactor.isRunning());
}

TEST_CASE("run() throws why it cannot start also when that comes long after it was called") {
    Unstartable reactor;
    Promise<void> waited;
    bool turned = false;
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Startup, [&] { return waited.deferred(); });
    reactor.callLater(0s, [&] {
        turned = true;
        waited.callback();
    });
    checkDoesNotStart(reactor);
    CHECK(turned);
    reactor.fails = false;
    reactor.callWhenRunning([&] { reactor.stop(); });
    reactor.run();
    CHECK_FALSE(reactor.isRunning());
}

TEST_CASE("S-124: a crash in the turn in which a drain ends leaves its triggers for the next run") {
    MemoryReactor reactor;
    const auto crashes = [&](HookedProtocol&) { reactor.crash(); };
    const auto server = std::make_shared<HookedProtocol>(ProtocolHooks{.lost = crashes});
    const auto client = std::make_shared<HookedProtocol>(ProtocolHooks{.lost = crashes});
    reactor.listenTCP(80, HookedFactory::of(server));
    reactor.connectTCP("127.0.0.1", 80, HookedFactory::of(client));
    reactor.settle();
    int during = 0;
    int after = 0;
    reactor.addSystemEventTrigger(EventPhase::During, SystemEvent::Shutdown, [&] { ++during; });
    reactor.addSystemEventTrigger(EventPhase::After, SystemEvent::Shutdown, [&] { ++after; });
    reactor.callWhenRunning([&] { reactor.stop({.drain = 10s}); });
    reactor.run();
    CHECK(server->record->lost == 1);
    CHECK(client->record->lost == 1);
    CHECK(reactor.endpoints().empty()); // the drain had nothing left to wait for
    CHECK(during == 0);
    CHECK(after == 0);
    CHECK_FALSE(reactor.isRunning());
    reactor.callWhenRunning([&] { reactor.stop(); });
    reactor.run();
    CHECK(during == 1);
    CHECK(after == 1);
}
