// What belongs to the reactor's thread is used on another one: a debug build says so and ends.

#include "support/child.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/skip.hpp"

#include <doctest/doctest.h>

#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

using namespace torsion;
using namespace torsion::test;

namespace {

#ifdef NDEBUG
constexpr bool kAsserts = false;
#else
constexpr bool kAsserts = true;
#endif

using Use = void (*)(Transport&);

const Use kUses[] = {
    [](Transport& transport) { transport.write("hello"); },
    [](Transport& transport) {
        const std::string_view pieces[]{"hello"};
        transport.writeSequence(pieces);
    },
    [](Transport& transport) { transport.flush(); },
    [](Transport& transport) { transport.loseConnection(); },
    [](Transport& transport) { transport.abortConnection(); },
    [](Transport& transport) { transport.loseWriteConnection(); },
    [](Transport& transport) { transport.pauseProducing(); },
    [](Transport& transport) { transport.resumeProducing(); },
    [](Transport& transport) { transport.registerProducer(Transport::null()); },
    [](Transport& transport) { transport.unregisterProducer(); },
    [](Transport& transport) { transport.setWriteBufferLimits({}); },
    [](Transport& transport) { transport.setCloseLimits({}); },
    [](Transport& transport) { transport.guarded([] {}); },
    [](Transport& transport) { transport.reactor().callLater(Duration::zero(), [] {}); },
    [](Transport& transport) { transport.reactor().getDelayedCalls(); },
    [](Transport& transport) { transport.reactor().random(); },
    [](Transport& transport) { transport.reactor().stats(); },
    [](Transport& transport) { transport.reactor().endpoints(); },
    [](Transport& transport) { transport.reactor().setSlowTurn({}); },
    [](Transport& transport) { transport.reactor().setLimits({}); },
    [](Transport& transport) { transport.reactor().getLimits(); },
};

} // namespace

TEST_CASE("S-151: a debug build ends with a message when a connection is used outside its reactor's thread") {
    if (!kAsserts)
        return support::reportSkip("debug", "assertions are compiled out");
    for (std::size_t i = 0; i < std::size(kUses); ++i) {
        CAPTURE(i);
        const ChildEnd end = runInChild([i] {
            LogCapture quiet;
            Link link;
            Transport& transport = *link.client->transport;
            std::thread([&] { kUses[i](transport); }).join();
        });
        CHECK(end.wasAborted());
        CHECK(end.said.find("a reactor was used outside its thread") != std::string::npos);
    }
}

TEST_CASE(
    "S-151: a debug build ends with a message when a delayed call or a port is used outside its reactor's thread") {
    if (!kAsserts)
        return support::reportSkip("debug", "assertions are compiled out");
    using UseElsewhere = void (*)(DelayedCall, ListeningPort&);
    const UseElsewhere uses[] = {
        [](DelayedCall call, ListeningPort&) { call.cancel(); },
        [](DelayedCall call, ListeningPort&) { call.reset(Duration::zero()); },
        [](DelayedCall call, ListeningPort&) { call.delay(Duration::zero()); },
        [](DelayedCall, ListeningPort& port) { port.pauseAccepting(); },
        [](DelayedCall, ListeningPort& port) { port.resumeAccepting(); },
        [](DelayedCall, ListeningPort& port) { static_cast<void>(port.stopListening()); },
    };
    for (std::size_t i = 0; i < std::size(uses); ++i) {
        CAPTURE(i);
        const ChildEnd end = runInChild([&] {
            LogCapture quiet;
            Link link;
            const DelayedCall call = link.reactor.callLater(Duration::zero(), [] {});
            std::thread([&] { uses[i](call, *link.port); }).join();
        });
        CHECK(end.wasAborted());
        CHECK(end.said.find("a reactor was used outside its thread") != std::string::npos);
    }
}

TEST_CASE("S-151: a connection may be used on the thread that runs its reactor, and on the one that destroys it") {
    LogCapture quiet;
    std::optional<Link> link(std::in_place);
    const auto server = link->serverRecord;
    const auto client = link->clientRecord;
    link->reactor.callWhenRunning([&] {
        link->client->transport->write("hello");
        link->reactor.crash();
    });
    std::thread([&] { link->reactor.run(); }).join();
    CHECK(server->lost + client->lost == 0);
    link.reset();
    CHECK(server->lost == 1);
    CHECK(client->lost == 1);
}
