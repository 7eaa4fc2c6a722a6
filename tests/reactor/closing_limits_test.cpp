// How long a close may take: what its time-outs count, and what they do not.

#include "support/hooked_protocol.hpp"

#include <reactor/errors.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;
using testing::MemoryReactor;

namespace {

constexpr std::size_t kMuch = 200'000; // more than a MemoryNetwork carries for a peer that does not read

/// A server whose connection closes under `limits`, and a client that never closes first.
struct Closing {
    explicit Closing(const CloseLimits& limits) {
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
    Closing closing({.stalled = 1h, .quiet = 2s, .total = 30s});
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
    Closing closing({.stalled = 5s});
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

TEST_CASE("S-31: a peer that goes on sending is lingered for as long as the total time") {
    Closing closing({.quiet = 2s, .total = 5s});
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
    Closing closing({.stalled = 5s});
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
