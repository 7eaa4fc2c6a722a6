// How long a close may take: what its time-outs count, and what they do not.

#include "support/hooked_protocol.hpp"

#include <reactor/errors.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;
using testing::MemoryReactor;

namespace {

constexpr std::size_t kMuch = 200'000; // more than a MemoryNetwork carries for a peer that does not read

/// A server whose connection closes under `limits`, and a client that never closes first.
struct Closing {
    explicit Closing(const std::optional<CloseLimits>& limits, const ReactorLimits& reactorLimits = {}) {
        reactor.setLimits(reactorLimits);
        reactor.listenTCP(80, HookedFactory::of(server), {.stream = {.close = limits}});
        reactor.connectTCP("127.0.0.1", 80, HookedFactory::of(client));
        reactor.settle();
        REQUIRE(served->made == 1);
        REQUIRE(client->record->made == 1);
        began = reactor.now();
    }

    /// Runs until the server's connection is lost. @returns when that was, counted from the beginning.
    Duration lostAfter() {
        CHECK(reactor.runUntil([this] { return served->lost != 0; }));
        return reactor.now() - began;
    }

    std::shared_ptr<HookedProtocol> server = std::make_shared<HookedProtocol>();
    std::shared_ptr<HookedProtocol> client =
        std::make_shared<HookedProtocol>(ProtocolHooks{.readLost = [](HookedProtocol&) {}});
    std::shared_ptr<Record> served = server->record;
    MemoryReactor reactor;
    TimePoint began;
};

/// Writes when the test does, whatever it is told.
class Waiting : public PushProducer {
public:
    void pauseProducing() override {}
    void resumeProducing() override {}
    void stopProducing() override { ++stopped; }
    int stopped = 0;
};

} // namespace

TEST_CASE("S-31: lingering lasts the quiet time from the end of the output on, however long that might have stalled") {
    Closing closing(CloseLimits{.stalled = 1h, .quiet = 2s, .total = 30s});
    closing.client->transport->pauseProducing();
    closing.server->transport->write(std::string(kMuch, 'x'));
    closing.server->transport->loseConnection();
    closing.reactor.advance(1s);
    CHECK(closing.server->transport->bufferedBytes() != 0);
    closing.client->transport->resumeProducing();
    closing.reactor.settle();
    CHECK(closing.client->record->received.size() == kMuch);
    CHECK(closing.client->record->readLost == 1);
    CHECK(closing.reactor.stats().lingering == 1);
    CHECK(closing.lostAfter() == 3s);
    CHECK(closing.served->reason.check<ConnectionDone>());
}

TEST_CASE("S-30: a peer that goes on sending and takes nothing is stalled: its bytes keep no drain alive") {
    Closing closing(CloseLimits{.stalled = 5s});
    closing.client->transport->pauseProducing();
    closing.server->transport->write(std::string(kMuch, 'x'));
    closing.server->transport->loseConnection();
    for (int second = 0; second < 20 && closing.served->lost == 0; ++second) {
        closing.client->transport->write("still here");
        closing.reactor.advance(1s);
    }
    CHECK(closing.reactor.now() - closing.began == 5s);
    CHECK(closing.served->reason.check<ConnectionAborted>());
    CHECK(closing.served->received.empty());
}

TEST_CASE("S-30: a peer that takes a little now and then keeps a drain for no longer than its whole time") {
    Closing closing(CloseLimits{.stalled = 5s, .drain = 30s});
    closing.client->transport->pauseProducing();
    closing.server->transport->write(std::string(100 * kMuch, 'x'));
    closing.server->transport->loseConnection();
    for (int second = 0; second < 100 && closing.served->lost == 0; second += 4) {
        closing.client->transport->resumeProducing();
        closing.reactor.iterate(); // takes what one turn brings
        closing.client->transport->pauseProducing();
        closing.reactor.advance(4s);
    }
    CHECK(closing.served->lost == 1);
    CHECK(closing.reactor.now() - closing.began >= 30s);
    CHECK(closing.reactor.now() - closing.began < 35s);
    CHECK(closing.served->reason.check<ConnectionAborted>());
    CHECK_FALSE(closing.client->record->received.empty());
}

TEST_CASE("S-30: how long a close may take is settable for each transport, and for the reactor") {
    SUBCASE("by default it is the reactor's") {
        Closing closing(std::nullopt, {.close = {.quiet = 7s}});
        CHECK(closing.reactor.getLimits().close.quiet == 7s);
        closing.server->transport->loseConnection();
        CHECK(closing.lostAfter() == 7s);
    }
    SUBCASE("a port's or connector's options come first") {
        Closing closing(CloseLimits{.quiet = 3s}, {.close = {.quiet = 7s}});
        closing.server->transport->loseConnection();
        CHECK(closing.lostAfter() == 3s);
    }
    SUBCASE("and what the transport is told last") {
        Closing closing(CloseLimits{.quiet = 3s});
        closing.server->transport->setCloseLimits({.quiet = 1s});
        closing.server->transport->loseConnection();
        CHECK(closing.lostAfter() == 1s);
    }
    SUBCASE("a negative time is refused, by its name") {
        Closing closing(CloseLimits{});
        CHECK_THROWS_WITH_AS(closing.server->transport->setCloseLimits({.drain = -1ms}),
                             "close limits: drain must not be negative: -1 ms", std::invalid_argument);
        CHECK_THROWS_WITH_AS(closing.reactor.setLimits({.close = {.quiet = -2ms}}),
                             "close limits: quiet must not be negative: -2 ms", std::invalid_argument);
        CHECK_THROWS_AS(closing.reactor.listenTCP(81, HookedFactory::of(closing.server),
                                                  {.stream = {.close = CloseLimits{.total = -1ms}}}),
                        std::invalid_argument);
        CHECK_THROWS_AS(closing.reactor.connectTCP("127.0.0.1", 80, HookedFactory::of(closing.server),
                                                   {.stream = {.close = CloseLimits{.stalled = -1ms}}}),
                        std::invalid_argument);
    }
}

TEST_CASE("S-31: a peer that goes on sending is lingered for as long as the total time") {
    Closing closing(CloseLimits{.quiet = 2s, .total = 5s});
    closing.server->transport->loseConnection();
    for (int second = 0; second < 20 && closing.served->lost == 0; ++second) {
        closing.client->transport->write("still here");
        closing.reactor.advance(1s);
    }
    CHECK(closing.reactor.now() - closing.began == 5s);
    CHECK(closing.served->reason.check<ConnectionDone>());
    CHECK(closing.served->received.empty());
}

TEST_CASE("S-23, S-30: what a producer writes after loseConnection may stall as long as what was there before") {
    const CloseLimits limits{.stalled = 5s};
    Closing closing(limits);
    Waiting producer;
    closing.server->transport->registerProducer(producer);
    closing.server->transport->loseConnection();
    closing.reactor.advance(1h); // a producer may take its time
    CHECK(closing.served->lost == 0);
    closing.client->transport->pauseProducing();
    SUBCASE("by a write from elsewhere") {
        closing.server->transport->write(std::string(kMuch, 'x'));
    }
    SUBCASE("by a write in a callback") {
        closing.server->transport->guarded([&] { closing.server->transport->write(std::string(kMuch, 'x')); });
    }
    SUBCASE("by small writes") {
        for (std::size_t written = 0; written < kMuch; written += 100)
            closing.server->transport->write(std::string(100, 'x'));
    }
    CHECK(closing.lostAfter() == 1h + 5s);
    CHECK(closing.served->reason.check<ConnectionAborted>());
    CHECK(producer.stopped == 1);
}

TEST_CASE("S-23, S-30: the time to stall begins anew with bytes that come after others were taken") {
    Closing closing(CloseLimits{.stalled = 5s});
    Waiting producer;
    closing.client->transport->pauseProducing();
    closing.server->transport->registerProducer(producer);
    closing.server->transport->write(std::string(kMuch, 'x'));
    closing.server->transport->loseConnection();
    closing.reactor.advance(1s);
    closing.client->transport->resumeProducing();
    closing.reactor.advance(9s); // all is taken; nothing to be stalled
    CHECK(closing.client->record->received.size() == kMuch);
    CHECK(closing.served->lost == 0);
    closing.client->transport->pauseProducing();
    closing.server->transport->write(std::string(kMuch, 'y'));
    CHECK(closing.lostAfter() == 15s);
    CHECK(closing.served->reason.check<ConnectionAborted>());
}

TEST_CASE("S-31: what was sent arrives though unread input is there when the sender's reactor stops") {
    const auto network = std::make_shared<testing::MemoryNetwork>();
    MemoryReactor far(network);
    MemoryReactor near(network);
    const auto server = std::make_shared<HookedProtocol>();
    const auto client = std::make_shared<HookedProtocol>();
    const auto heard = client->record;
    near.listenTCP(80, HookedFactory::of(server));
    far.connectTCP("127.0.0.1", 80, HookedFactory::of(client));
    network->settle();
    REQUIRE(heard->made == 1);
    client->transport->pauseProducing();
    server->transport->pauseProducing();
    client->transport->write("unread");
    server->transport->write(std::string(60'000, 'x'));
    network->settle();
    REQUIRE(server->transport->bufferedBytes() == 0);
    near.callWhenRunning([&] { near.stop(); });
    near.run();
    client->transport->resumeProducing();
    network->settle();
    CHECK(heard->received.size() == 60'000);
    CHECK(heard->reason.check<ConnectionDone>());
}
