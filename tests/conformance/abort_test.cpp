// Acceptance C: aborting.

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "support/log_capture.hpp"

#include <reactor/errors.hpp>
#include <reactor/testing/strict_producers.hpp>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace torsion;
using namespace torsion::test;
using testing::StrictPullProducer;
using testing::StrictPushProducer;

namespace {

struct Bug : std::runtime_error {
    Bug() : std::runtime_error("a bug in the protocol") {}
};

// The one who aborts hears ConnectionAborted, the peer ConnectionLost (S-49), each once.
void checkAborted(const RecordingProtocol& self, const RecordingProtocol& peer) {
    CHECK(self.reason.check<ConnectionAborted>());
    CHECK(self.lostCount == 1);
    CHECK(peer.reason.check<ConnectionLost>());
    CHECK_FALSE(peer.reason.check<ConnectionAborted>());
    CHECK(peer.lostCount == 1);
}

using Act = void (*)(Transport&);

void twice(Transport& transport) {
    transport.abortConnection();
    transport.abortConnection();
}

void thenLose(Transport& transport) {
    transport.abortConnection();
    transport.loseConnection();
}

// `act` runs in `self`'s dataReceived; the connection is lost later, and once.
void checkAbortInData(Driver& driver, bool byServer, Act act) {
    Pair pair(driver);
    RecordingProtocol& self = byServer ? *pair.server : *pair.client;
    RecordingProtocol& peer = byServer ? *pair.client : *pair.server;
    self.onData = [&](std::string_view) {
        act(*self.transport);
        CHECK_FALSE(self.lost());
    };
    peer.transport->write("go");
    pair.runUntilLost();
    driver.turns();
    checkAborted(self, peer);
}

} // namespace

CONFORMANCE_CASE("C1 (S-44): abortConnection in dataReceived loses the connection later, not inside the call") {
    Pair pair(driver);
    pair.server->onData = [&](std::string_view) {
        pair.serverTransport().write("never sent");
        pair.serverTransport().abortConnection();
        pair.log.add("abort returned");
    };
    pair.clientTransport().write("go");
    pair.runUntilLost();
    CHECK(pair.log.inOrder("abort returned", "server lost ConnectionAborted"));
    CHECK(pair.client->received.empty());
    checkAborted(*pair.server, *pair.client);
    CHECK(pair.client->reason.code() == ECONNRESET);
}

CONFORMANCE_CASE("C2 (S-46): a client that aborts twice is lost once") {
    checkAbortInData(driver, false, &twice);
}

CONFORMANCE_CASE("C3 (S-46): a client that aborts and then closes is lost once") {
    checkAbortInData(driver, false, &thenLose);
}

CONFORMANCE_CASE("C4 (S-46): a server that aborts twice is lost once") {
    checkAbortInData(driver, true, &twice);
}

CONFORMANCE_CASE("C5 (S-46): a server that aborts and then closes is lost once") {
    checkAbortInData(driver, true, &thenLose);
}

CONFORMANCE_CASE("S-46: an abort after loseConnection wins") {
    Pair pair(driver);
    fillOutput(driver, pair.serverTransport(), pair.clientTransport());
    pair.serverTransport().loseConnection();
    driver.turns(2);
    pair.serverTransport().abortConnection();
    pair.runUntilLost();
    checkAborted(*pair.server, *pair.client);
}

CONFORMANCE_CASE("C6 (S-44): abortConnection in a producer's resumeProducing loses the connection later") {
    Pair pair(driver);
    StrictPullProducer producer;
    producer.onResume = [&] {
        pair.clientTransport().abortConnection();
        CHECK_FALSE(pair.client->lost());
    };
    pair.clientTransport().registerProducer(producer);
    pair.runUntilLost();
    CHECK(producer.calls() == std::vector<std::string>{"resume", "stop"});
    checkAborted(*pair.client, *pair.server);
}

CONFORMANCE_CASE("C7 (S-44): an abort with a full buffer, whose peer does not read, is told promptly") {
    Pair pair(driver);
    fillOutput(driver, pair.clientTransport(), pair.serverTransport());
    pair.clientTransport().abortConnection();
    driver.turns(2);
    CHECK(pair.client->reason.check<ConnectionAborted>());
    CHECK(pair.client->lostCount == 1);
    CHECK(driver.reactor().stats().bufferedBytes == 0);
    driver.runUntil([&] { return pair.server->lost(); });
    CHECK(pair.server->reason.check<ConnectionLost>());
}

CONFORMANCE_CASE("C9 (S-48): what dataReceived throws after an abort is the reason of the loss") {
    const LogCapture log;
    Pair pair(driver);
    pair.server->onData = [&](std::string_view) {
        pair.serverTransport().abortConnection();
        throw Bug();
    };
    pair.clientTransport().write("go");
    pair.runUntilLost();
    CHECK(pair.server->reason.check<Bug>());
    CHECK(pair.server->lostCount == 1);
    CHECK(log.contains("a bug in the protocol"));
    CHECK(pair.client->reason.check<ConnectionLost>());
}

CONFORMANCE_CASE("C10 (S-48): what resumeProducing throws after an abort is the reason of the loss") {
    const LogCapture log;
    Pair pair(driver);
    StrictPullProducer producer;
    producer.onResume = [&] {
        pair.clientTransport().abortConnection();
        throw Bug();
    };
    pair.clientTransport().registerProducer(producer);
    pair.runUntilLost();
    CHECK(pair.client->reason.check<Bug>());
    CHECK(pair.client->lostCount == 1);
    CHECK(log.contains("a bug in the protocol"));
}

TEST_CASE("C11: ConnectionAborted is a ConnectionLost with a message of its own") {
    const Failure aborted = Failure::of<ConnectionAborted>();
    CHECK(aborted.check<ConnectionLost>());
    CHECK(aborted.getErrorMessage() != Failure::of<ConnectionLost>().getErrorMessage());
}
