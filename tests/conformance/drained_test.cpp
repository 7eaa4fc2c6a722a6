// transport->drained(): who waits for the output to be gone.

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "conformance/scene.hpp"

#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>
#include <reactor/transport.hpp>

#include <memory>
#include <optional>
#include <string>

using namespace torsion;
using namespace torsion::test;

CONFORMANCE_CASE("drained: what the kernel takes at once needs no waiting, and is sent before the callback returns") {
    Pair pair(driver);
    pair.clientTransport().guarded([&] {
        CHECK(pair.clientTransport().drained().hasResult());
        pair.clientTransport().write("hello");
        CHECK(pair.clientTransport().bufferedBytes() == 5);
        CHECK(Outcome(pair.clientTransport().drained()).fired());
        CHECK(pair.clientTransport().bufferedBytes() == 0);
    });
    driver.runUntil([&] { return pair.server->received == "hello"; });
}

CONFORMANCE_CASE("drained: fires for all who wait when the peer has read enough, in a callback of the connection") {
    Pair pair(driver);
    pair.server->keep = false;
    const std::size_t size = fillOutput(driver, pair.clientTransport(), pair.serverTransport());
    const Outcome first(pair.clientTransport().drained());
    std::optional<std::size_t> buffered;
    const Outcome second(pair.clientTransport().drained().addCallback([&] {
        buffered = pair.clientTransport().bufferedBytes();
        pair.clientTransport().write("a");
        pair.clientTransport().write("b");
        CHECK(pair.clientTransport().bufferedBytes() == 2); // corked
    }));
    Deferred<void> cancelled = pair.clientTransport().drained();
    cancelled.cancel();
    CHECK(Outcome(std::move(cancelled)).failure().check<CancelledError>());
    driver.turns();
    CHECK_FALSE(first.fired());

    pair.serverTransport().resumeProducing();
    driver.runUntil([&] { return second.fired(); });
    CHECK(first.fired());
    CHECK_FALSE(first.failure());
    CHECK(buffered == 0);
    driver.runUntil([&] { return pair.server->receivedBytes == size + 2; });
}

CONFORMANCE_CASE("drained: fails with the reason when the connection is lost first, before connectionLost") {
    Pair pair(driver);
    fillOutput(driver, pair.clientTransport(), pair.serverTransport());
    bool before = false;
    const Outcome outcome(pair.clientTransport().drained().addErrback([&](const Failure& failure) {
        before = !pair.client->lost();
        return failure;
    }));
    pair.clientTransport().abortConnection();
    CHECK_FALSE(outcome.fired());
    CHECK(Outcome(pair.clientTransport().drained()).failure().check<ConnectionAborted>());
    driver.runUntil([&] { return pair.client->lost(); });
    CHECK(before);
    CHECK(outcome.failure().check<ConnectionAborted>());
    CHECK(Outcome(pair.clientTransport().drained()).failure().check<NotConnectedError>());
}

CONFORMANCE_CASE("drained: fails with the reason when the peer resets the connection") {
    Pair pair(driver);
    fillOutput(driver, pair.clientTransport(), pair.serverTransport());
    const Outcome outcome(pair.clientTransport().drained());
    pair.serverTransport().abortConnection();
    driver.runUntil([&] { return pair.client->lost(); });
    CHECK(outcome.failure().check<ConnectionLost>());
}

CONFORMANCE_CASE("drained: a connection that closes tells when its last byte is out") {
    Pair pair(driver);
    pair.server->keep = false;
    fillOutput(driver, pair.clientTransport(), pair.serverTransport());
    pair.clientTransport().loseConnection();
    const Outcome outcome(pair.clientTransport().drained());
    pair.serverTransport().resumeProducing();
    driver.runUntil([&] { return outcome.fired(); });
    CHECK_FALSE(outcome.failure());
    pair.runUntilLost();
}

CONFORMANCE_CASE("drained: flush() by hand tells nobody before it returns") {
    Pair pair(driver);
    pair.server->keep = false;
    fillOutput(driver, pair.clientTransport(), pair.serverTransport());
    bool inside = false;
    bool fired = false;
    pair.clientTransport()
        .drained()
        .addCallback([&] {
            fired = true;
            CHECK_FALSE(inside);
        })
        .detach();
    pair.serverTransport().resumeProducing();
    driver.runUntil([&] {
        inside = true;
        pair.clientTransport().flush();
        inside = false;
        return fired;
    });
}

CONFORMANCE_CASE("drained: the reactor's end fails those who wait") {
    Pair pair(driver);
    fillOutput(driver, pair.clientTransport(), pair.serverTransport());
    const Outcome outcome(pair.clientTransport().drained());
    driver.destroyReactor();
    CHECK(outcome.failure().check<ConnectionLost>());
}
