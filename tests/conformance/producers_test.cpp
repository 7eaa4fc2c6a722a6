// Acceptance B: producers, and what holds them back.

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "support/kernel_buffers.hpp"

#include <reactor/errors.hpp>
#include <reactor/testing/strict_producers.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using testing::StrictPullProducer;
using testing::StrictPushProducer;
using Calls = std::vector<std::string>;

namespace {

constexpr std::size_t kHigh = 64 * 1024; // the default high-water mark
constexpr std::size_t kLots = kMoreThanKernelsKeep;

const std::string& lots() {
    static const std::string bytes = pattern(kLots);
    return bytes;
}

// Writes `data` in the manner that a case is about.
using Writer = void (*)(Transport&, std::string_view);

void byWrite(Transport& transport, std::string_view data) {
    transport.write(data);
}

void bySequence(Transport& transport, std::string_view data) {
    const std::array<std::string_view, 2> halves{data.substr(0, data.size() / 2), data.substr(data.size() / 2)};
    transport.writeSequence(halves);
}

// A pull producer hears nothing while the buffer it filled is full, and is asked again when it is empty.
void checkPullIsNotPaused(Driver& driver, Writer write) {
    Pair pair(driver);
    StrictPullProducer producer;
    std::size_t buffered = 1;
    pair.clientTransport().pauseProducing();
    producer.onResume = [&] {
        buffered = pair.serverTransport().bufferedBytes();
        if (producer.calls().size() == 1) {
            write(pair.serverTransport(), lots());
        } else {
            pair.serverTransport().unregisterProducer();
        }
    };
    pair.serverTransport().registerProducer(producer);
    driver.turns();
    CHECK(pair.serverTransport().bufferedBytes() > kHigh);
    CHECK(producer.calls() == Calls{"resume"});
    pair.clientTransport().resumeProducing();
    driver.runUntil([&] { return pair.client->receivedBytes == kLots && producer.calls().size() == 2; });
    CHECK(buffered == 0);
    CHECK(producer.calls() == Calls{"resume", "resume"});
    CHECK(producer.violations().empty());
}

// A push producer is paused once when the buffer passes high water, and resumed once when it has drained.
void checkPushIsPaused(Driver& driver, Writer write) {
    Pair pair(driver);
    StrictPushProducer producer;
    pair.clientTransport().pauseProducing();
    pair.serverTransport().registerProducer(producer);
    write(pair.serverTransport(), lots());
    CHECK(producer.calls() == Calls{"pause"});
    write(pair.serverTransport(), "more");
    driver.turns();
    CHECK(producer.calls() == Calls{"pause"});
    pair.clientTransport().resumeProducing();
    driver.runUntil([&] { return pair.client->receivedBytes == kLots + 4; });
    driver.turns(2);
    CHECK(producer.calls() == Calls{"pause", "resume"});
    CHECK(producer.violations().empty());
    pair.serverTransport().unregisterProducer();
}

} // namespace

CONFORMANCE_CASE("B1 (S-11): a second producer is refused with an error, and the first stays") {
    Pair pair(driver);
    StrictPushProducer first;
    StrictPushProducer second;
    StrictPullProducer third;
    pair.serverTransport().registerProducer(first);
    CHECK_THROWS_AS(pair.serverTransport().registerProducer(second), ProducerAlreadyRegistered);
    CHECK_THROWS_AS(pair.serverTransport().registerProducer(third), ProducerAlreadyRegistered);
    pair.serverTransport().unregisterProducer();
    pair.serverTransport().registerProducer(second);
    driver.turns(2);
    CHECK(first.calls().empty());
    CHECK(second.calls().empty());
    CHECK(third.calls().empty());
    pair.serverTransport().unregisterProducer();
}

CONFORMANCE_CASE("B1 (S-13): a pull producer is asked after its registration, and not inside it") {
    Pair pair(driver);
    StrictPullProducer producer;
    producer.onResume = [&] {
        pair.serverTransport().write("portion");
        pair.serverTransport().unregisterProducer();
    };
    pair.serverTransport().registerProducer(producer);
    CHECK(producer.calls().empty());
    driver.runUntil([&] { return pair.client->received == "portion"; });
    CHECK(producer.calls() == Calls{"resume"});
}

CONFORMANCE_CASE("B2 (S-12): a producer registered on a lost connection is stopped at once") {
    Pair pair(driver);
    StrictPushProducer inCallback;
    StrictPushProducer push;
    StrictPullProducer pull;
    pair.client->onLost = [&](const Failure&) {
        pair.clientTransport().registerProducer(inCallback);
        CHECK(inCallback.calls() == Calls{"stop"});
    };
    pair.clientTransport().abortConnection();
    pair.runUntilLost();
    pair.clientTransport().registerProducer(push);
    pair.clientTransport().registerProducer(pull);
    CHECK(push.calls() == Calls{"stop"});
    CHECK(pull.calls() == Calls{"stop"});
    driver.turns(2);
    CHECK(inCallback.calls() == Calls{"stop"});
}

CONFORMANCE_CASE("B2 (S-12): a producer registered on a transport that closes is stopped at once, and not waited for") {
    Pair pair(driver);
    StrictPushProducer push;
    StrictPullProducer pull;
    pair.serverTransport().write("the last word");
    pair.serverTransport().loseConnection();
    pair.serverTransport().registerProducer(push);
    pair.serverTransport().registerProducer(pull);
    CHECK(push.calls() == Calls{"stop"});
    CHECK(pull.calls() == Calls{"stop"});
    pair.runUntilLost();
    CHECK(pair.client->received == "the last word");
    CHECK(pair.server->reason.check<ConnectionDone>());
    CHECK(push.calls() == Calls{"stop"});
    CHECK(pull.calls() == Calls{"stop"});
}

CONFORMANCE_CASE("B2 (S-12): a producer registered on a transport that was aborted is stopped at once, and only then") {
    Pair pair(driver);
    StrictPushProducer push;
    StrictPullProducer pull;
    pair.serverTransport().abortConnection();
    pair.serverTransport().registerProducer(push);
    pair.serverTransport().registerProducer(pull);
    CHECK(push.calls() == Calls{"stop"});
    CHECK(pull.calls() == Calls{"stop"});
    pair.runUntilLost();
    CHECK(push.calls() == Calls{"stop"});
    CHECK(pull.calls() == Calls{"stop"});
}

CONFORMANCE_CASE(
    "B2 (S-6, S-12): a producer registered after loseWriteConnection is stopped, and the end not put off") {
    Pair pair(driver);
    StrictPushProducer push;
    StrictPullProducer pull;
    pair.client->halfCloseable = true;
    pair.serverTransport().write("the last word");
    pair.serverTransport().loseWriteConnection();
    pair.serverTransport().registerProducer(push);
    CHECK(push.calls() == Calls{"stop"});
    driver.runUntil([&] { return pair.client->readLost; });
    CHECK(pair.client->received == "the last word");
    pair.serverTransport().registerProducer(pull); // the end is sent
    CHECK(pull.calls() == Calls{"stop"});
    pair.clientTransport().write("still received");
    driver.runUntil([&] { return pair.server->received == "still received"; });
    CHECK(push.calls() == Calls{"stop"});
    CHECK(pull.calls() == Calls{"stop"});
}

CONFORMANCE_CASE("S-14: a pull producer that writes nothing when asked is asked again when something was written") {
    Pair pair(driver);
    StrictPullProducer producer;
    pair.serverTransport().registerProducer(producer);
    driver.turns();
    CHECK(producer.calls() == Calls{"resume"});
    pair.serverTransport().write("late");
    driver.runUntil([&] { return pair.client->received == "late" && producer.calls().size() == 2; });
    pair.serverTransport().guarded([&] { pair.serverTransport().write(" again"); });
    driver.runUntil([&] { return pair.client->received == "late again" && producer.calls().size() == 3; });
    driver.turns();
    CHECK(producer.calls().size() == 3);
    CHECK(producer.violations().empty());
    pair.serverTransport().unregisterProducer();
}

CONFORMANCE_CASE("B3 (S-14): a pull producer that fills the buffer by write is not paused") {
    checkPullIsNotPaused(driver, &byWrite);
}

CONFORMANCE_CASE("B4 (S-14): a pull producer that fills the buffer by writeSequence is not paused") {
    checkPullIsNotPaused(driver, &bySequence);
}

CONFORMANCE_CASE(
    "B5 (S-17): a push producer that fills the buffer inside resumeProducing is paused again exactly then") {
    Pair pair(driver);
    StrictPushProducer producer;
    std::size_t written = kLots;
    producer.onResume = [&] {
        if (producer.count("resume") != 1)
            return;
        pair.clientTransport().pauseProducing();
        CHECK(producer.state() == StrictPushProducer::State::Producing);
        pair.serverTransport().write(lots());
        written += kLots;
        CHECK(producer.state() == StrictPushProducer::State::Paused);
    };
    pair.serverTransport().registerProducer(producer);
    pair.clientTransport().pauseProducing();
    pair.serverTransport().write(lots());
    pair.clientTransport().resumeProducing();
    driver.runUntil([&] { return producer.count("pause") == 2; });
    pair.clientTransport().resumeProducing();
    driver.runUntil([&] { return pair.client->receivedBytes == written && producer.count("resume") == 2; });
    CHECK(producer.calls() == Calls{"pause", "resume", "pause", "resume"});
    CHECK(producer.violations().empty());
    pair.serverTransport().unregisterProducer();
}

CONFORMANCE_CASE("B6 (S-7, S-15): writeSequence above high water pauses a push producer; drained, it is resumed") {
    checkPushIsPaused(driver, &bySequence);
}

CONFORMANCE_CASE("B6 (S-15): write above high water pauses a push producer; drained, it is resumed") {
    checkPushIsPaused(driver, &byWrite);
}

CONFORMANCE_CASE("S-15: exactly as many bytes as the high-water mark do not pause a producer, one more does") {
    Pair pair(driver);
    fillOutput(driver, pair.serverTransport(), pair.clientTransport());
    const std::size_t buffered = pair.serverTransport().bufferedBytes();
    pair.serverTransport().setWriteBufferLimits({.high = buffered + 1});
    StrictPushProducer producer;
    pair.serverTransport().registerProducer(producer);
    pair.serverTransport().write("1");
    CHECK(producer.calls().empty());
    pair.serverTransport().write("2");
    CHECK(producer.calls() == Calls{"pause"});
    pair.serverTransport().unregisterProducer();
}

CONFORMANCE_CASE("B7 (S-14): a pull producer whose writeSequence passes high water is asked again when all is sent") {
    Pair pair(driver);
    StrictPullProducer producer;
    producer.onResume = [&] {
        bySequence(pair.serverTransport(), std::string_view(lots()).substr(0, 4 * kHigh));
        if (producer.count("resume") == 8)
            pair.serverTransport().unregisterProducer();
    };
    pair.serverTransport().registerProducer(producer);
    driver.runUntil([&] { return pair.client->receivedBytes == 8 * 4 * kHigh; });
    driver.turns(2);
    CHECK(producer.count("resume") == 8);
    CHECK(producer.violations().empty());
}

CONFORMANCE_CASE("B8 (S-21): a close waits for a pull producer, and sends what that still writes") {
    Pair pair(driver);
    StrictPullProducer producer;
    producer.onResume = [&] {
        if (producer.count("resume") == 1)
            pair.serverTransport().loseConnection();
        pair.serverTransport().write("portion,");
        if (producer.count("resume") == 3)
            pair.serverTransport().unregisterProducer();
    };
    pair.serverTransport().registerProducer(producer);
    pair.runUntilLost();
    CHECK(pair.client->received == "portion,portion,portion,");
    CHECK(pair.server->reason.check<ConnectionDone>());
    CHECK(producer.count("stop") == 0);
}

CONFORMANCE_CASE("B8 (S-22): a close waits for a push producer, paused or not, until it unregisters") {
    Pair pair(driver);
    StrictPushProducer producer;
    pair.serverTransport().registerProducer(producer);
    pair.serverTransport().write("first,");
    pair.serverTransport().loseConnection();
    driver.turns();
    CHECK_FALSE(pair.server->lost());
    CHECK_FALSE(pair.client->lost());
    pair.serverTransport().write("second");
    pair.serverTransport().unregisterProducer();
    pair.runUntilLost();
    CHECK(pair.client->received == "first,second");
    CHECK(producer.calls().empty());
}

CONFORMANCE_CASE("B8 (S-22): a close that waits for a producer goes on when the producer is destroyed") {
    Pair pair(driver);
    auto producer = std::make_unique<StrictPushProducer>();
    pair.serverTransport().registerProducer(*producer);
    pair.serverTransport().loseConnection();
    driver.turns();
    CHECK_FALSE(pair.server->lost());
    producer.reset();
    pair.runUntilLost();
    CHECK(pair.server->reason.check<ConnectionDone>());
}

CONFORMANCE_CASE("B9 (S-20): unregisterProducer on a lost connection does nothing") {
    Pair pair(driver);
    StrictPushProducer producer;
    pair.clientTransport().registerProducer(producer);
    pair.client->onLost = [&](const Failure&) { pair.clientTransport().unregisterProducer(); };
    pair.clientTransport().abortConnection();
    pair.runUntilLost();
    pair.clientTransport().unregisterProducer();
    driver.turns();
    CHECK(pair.client->lostCount == 1);
    CHECK(producer.calls() == Calls{"stop"});
}

CONFORMANCE_CASE("S-18: a lost connection stops its producer once, before connectionLost") {
    Pair pair(driver);
    StrictPushProducer producer;
    producer.onStop = [&] { pair.log.add("producer stopped"); };
    pair.serverTransport().registerProducer(producer);
    pair.clientTransport().abortConnection();
    pair.runUntilLost();
    CHECK(producer.calls() == Calls{"stop"});
    CHECK(pair.log.inOrder("producer stopped", "server lost ConnectionLost"));
}

CONFORMANCE_CASE(
    "B22 (S-26): of two transports that are each other's producers, one reads only as the other can write") {
    Pair front(driver); // front.server and back.client are the two halves of a proxy
    Pair back(driver);
    Transport& inward = front.serverTransport();
    Transport& outward = back.clientTransport();
    front.server->keep = false;
    front.server->onData = [&](std::string_view data) { outward.write(data); };
    back.client->onData = [&](std::string_view data) { inward.write(data); };
    inward.registerProducer(outward);
    outward.registerProducer(inward);

    back.serverTransport().pauseProducing();
    front.clientTransport().write(lots());
    driver.runUntil([&] { return !inward.isReading(); });
    driver.turns();
    CHECK(outward.bufferedBytes() <= 2 * kHigh + 16 * 1024);
    CHECK(outward.isReading());

    back.serverTransport().resumeProducing();
    driver.runUntil([&] { return back.server->receivedBytes == kLots; });
    CHECK((back.server->received == lots()));
    CHECK(inward.isReading());
    back.serverTransport().write("answer");
    driver.runUntil([&] { return front.client->received == "answer"; });
    inward.unregisterProducer();
    outward.unregisterProducer();
}

// Twisted's consumer would wait for ever: nobody unregisters a transport that has nothing to say any more.
CONFORMANCE_CASE("S-26: a transport whose input has ended already is not registered, and no close waits for it") {
    Pair front(driver);
    Pair back(driver);
    front.server->halfCloseable = true;
    front.clientTransport().loseWriteConnection();
    driver.runUntil([&] { return front.server->readLost; });
    back.clientTransport().registerProducer(front.serverTransport());
    back.clientTransport().write("the last");
    back.clientTransport().loseConnection();
    back.runUntilLost();
    CHECK(back.server->received == "the last");
    CHECK(front.serverTransport().isConnected());
}

CONFORMANCE_CASE("S-26: nor is one that closes, that is lost, or that never was connected") {
    Pair front(driver);
    Pair back(driver);
    front.serverTransport().loseConnection();
    back.clientTransport().registerProducer(front.serverTransport());
    front.server->onLost = [&](const Failure&) { back.clientTransport().registerProducer(front.serverTransport()); };
    front.runUntilLost();
    back.clientTransport().registerProducer(Transport::null());
    back.clientTransport().loseConnection();
    back.runUntilLost();
    CHECK(back.client->reason.check<ConnectionDone>());
}
