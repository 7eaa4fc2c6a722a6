// Acceptance A: writing and closing.

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "conformance/scene.hpp"

#include <reactor/errors.hpp>

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

constexpr std::array<std::string_view, 3> kPieces{"one,", "two,", "three"};

// A peer that closes does not wait long for the other side.
constexpr PairOptions kQuickServer{.server = {.close = CloseLimits{.quiet = 10ms}}};

void writeBoth(Transport& transport) {
    transport.write("late");
    transport.writeSequence(kPieces);
}

} // namespace

CONFORMANCE_CASE("A1 (S-4): writes after the connection was lost do nothing") {
    Pair pair(driver);
    pair.client->onLost = [&](const Failure&) { writeBoth(pair.clientTransport()); };
    pair.clientTransport().loseConnection();
    pair.runUntilLost();
    writeBoth(pair.clientTransport());
    driver.turns();
    CHECK(pair.server->received.empty());
    CHECK(pair.client->lostCount == 1);
}

CONFORMANCE_CASE("A2 (S-4): what a server writes in connectionLost is discarded, and counted") {
    Pair pair(driver);
    pair.server->onLost = [&](const Failure&) { pair.serverTransport().write("late"); };
    pair.clientTransport().loseConnection();
    pair.runUntilLost();
    CHECK(pair.client->received.empty());
    CHECK(driver.reactor().stats().droppedBytes == 4);
}

CONFORMANCE_CASE("A3 (S-4): what a server writes in connectionLost by writeSequence is discarded, and counted") {
    Pair pair(driver);
    pair.server->onLost = [&](const Failure&) { pair.serverTransport().writeSequence(kPieces); };
    pair.clientTransport().loseConnection();
    pair.runUntilLost();
    CHECK(pair.client->received.empty());
    CHECK(driver.reactor().stats().droppedBytes == 13);
}

CONFORMANCE_CASE("A5 (S-7): the pieces of a writeSequence without an earlier write arrive in order") {
    Pair pair(driver);
    pair.clientTransport().writeSequence(kPieces);
    driver.runUntil([&] { return pair.server->received.size() >= 13; });
    CHECK(pair.server->received == "one,two,three");
}

CONFORMANCE_CASE("A6 (S-27): a peer that reads to the end gets exactly what was written by write and writeSequence") {
    Pair pair(driver, Pair::kLater);
    pair.client->onMade = [&] {
        Transport& transport = pair.clientTransport();
        transport.write("zero,");
        transport.writeSequence(kPieces);
        transport.write(std::string(",four"));
        transport.write("");
        transport.loseConnection();
    };
    pair.beginConnecting();
    pair.runUntilLost();
    CHECK(pair.server->received == "zero,one,two,three,four");
    CHECK(pair.server->reason.check<ConnectionDone>());
    CHECK(pair.client->reason.check<ConnectionDone>());
}

CONFORMANCE_CASE("A7 (S-8): a write of several megabytes arrives whole at a peer that reads slowly") {
    Pair pair(driver);
    const std::string all = pattern(8 * 1000 * 1000);
    pair.server->onData = [&](std::string_view) { // one chunk, then a rest
        pair.serverTransport().pauseProducing();
        driver.reactor().callLater(0s, [&server = *pair.server] { server.transport->resumeProducing(); });
    };
    pair.clientTransport().write(all);
    pair.clientTransport().loseConnection();
    pair.runUntilLost();
    CHECK((pair.server->received == all));
}

CONFORMANCE_CASE("A8 (S-10): a paused transport whose peer is gone loses the connection when it writes") {
    Pair pair(driver, kQuickServer);
    pair.clientTransport().pauseProducing();
    pair.serverTransport().loseConnection();
    driver.runUntil([&] { return pair.server->lost(); });
    driver.runUntil([&] {
        pair.clientTransport().write("anybody?");
        return pair.client->lost();
    });
    CHECK(pair.client->reason.check<ConnectionLost>());
    CHECK(pair.client->reason.code() == EPIPE); // the peer's end had come before
    CHECK(pair.client->lostCount == 1);
}

CONFORMANCE_CASE("A9 (S-9): a full kernel buffer is no error, and sending goes on when there is room") {
    Pair pair(driver);
    const std::size_t written = fillOutput(driver, pair.clientTransport(), pair.serverTransport());
    CHECK(pair.clientTransport().isConnected());
    pair.serverTransport().resumeProducing();
    driver.runUntil([&] { return pair.server->receivedBytes == written; });
    CHECK(pair.clientTransport().bufferedBytes() == 0);
    CHECK_FALSE(pair.client->lost());
}

CONFORMANCE_CASE("A10 (S-33): after the last callback the reactor holds no reference to the protocol") {
    Pair pair(driver);
    pair.clientTransport().loseConnection();
    pair.runUntilLost();
    const std::weak_ptr<Protocol> server = std::exchange(pair.server, nullptr);
    const std::weak_ptr<Protocol> client = std::exchange(pair.client, nullptr);
    driver.turns(2);
    CHECK(server.expired());
    CHECK(client.expired());
}

CONFORMANCE_CASE("A11: the name of a connection in logs contains its protocol's prefix") {
    Pair pair(driver);
    CHECK(pair.clientTransport().describe().find("Recordingclient") != std::string::npos);
    CHECK(pair.serverTransport().describe().find("Recordingserver") != std::string::npos);
}

CONFORMANCE_CASE("A12 (S-34): the protocol hears of the end before its factory, with the same reason") {
    Pair pair(driver);
    pair.clientTransport().loseConnection();
    pair.runUntilLost();
    CHECK(pair.log.inOrder("client lost ConnectionDone", "factory lost ConnectionDone"));
    CHECK(pair.log.inOrder("factory lost ConnectionDone", "factory stopped"));
}

REAL_CASE("A13 (S-35): in connectionLost the socket is closed") {
    Pair pair(driver);
    const int fd = pair.clientTransport().as<TcpTransport>()->socketDescriptor();
    REQUIRE(::fcntl(fd, F_GETFD) != -1);
    int error = 0;
    pair.client->onLost = [&](const Failure&) { error = ::fcntl(fd, F_GETFD) == -1 ? errno : 0; };
    pair.clientTransport().loseConnection();
    pair.runUntilLost();
    CHECK(error == EBADF);
}

CONFORMANCE_CASE("A13 (S-35): the view of a transport lives through connectionLost, without a descriptor") {
    Pair pair(driver);
    TcpTransport* const before = pair.clientTransport().as<TcpTransport>();
    REQUIRE(before != nullptr);
    int descriptor = 0;
    pair.client->onLost = [&](const Failure&) {
        TcpTransport* const tcp = pair.clientTransport().as<TcpTransport>();
        CHECK(tcp == before);
        tcp->setTcpNoDelay(true);
        tcp->setTcpKeepAlive(KeepAlive{});
        tcp->setTcpUserTimeout(1s);
        descriptor = tcp->socketDescriptor();
    };
    pair.clientTransport().loseConnection();
    pair.runUntilLost();
    CHECK(descriptor == -1);
    CHECK(pair.clientTransport().as<TcpTransport>() == nullptr);
}

REAL_CASE("A14: what setTcpNoDelay sets, getTcpNoDelay reports") {
    Pair pair(driver);
    TcpTransport& tcp = *pair.clientTransport().as<TcpTransport>();
    CHECK(tcp.getTcpNoDelay());
    tcp.setTcpNoDelay(false);
    CHECK_FALSE(tcp.getTcpNoDelay());
    tcp.setTcpNoDelay(true);
    CHECK(tcp.getTcpNoDelay());
}

REAL_CASE("A15: what setTcpKeepAlive sets, getTcpKeepAlive reports") {
    Pair pair(driver);
    TcpTransport& tcp = *pair.serverTransport().as<TcpTransport>();
    CHECK_FALSE(tcp.getTcpKeepAlive());
    tcp.setTcpKeepAlive(KeepAlive{});
    CHECK(tcp.getTcpKeepAlive());
    tcp.setTcpKeepAlive(std::nullopt);
    CHECK_FALSE(tcp.getTcpKeepAlive());
}

CONFORMANCE_CASE("keep-alive times and user time-outs that no kernel takes are refused at the call") {
    Scene scene(driver);
    for (const KeepAlive& bad : {KeepAlive{.idle = 0s}, KeepAlive{.idle = 32768s}, KeepAlive{.interval = 0s},
                                 KeepAlive{.interval = 32768s}, KeepAlive{.count = 0}, KeepAlive{.count = 128}}) {
        CHECK_THROWS_AS(scene.listen(0, {.stream = {.keepAlive = bad}}), std::invalid_argument);
        CHECK_THROWS_AS(scene.connect(1, {.stream = {.keepAlive = bad}}), std::invalid_argument);
    }
    CHECK_THROWS_AS(scene.listen(0, {.stream = {.userTimeout = -1ms}}), std::invalid_argument);
    CHECK_THROWS_AS(scene.connect(1, {.stream = {.userTimeout = 2'147'483'648ms}}), std::invalid_argument);
    Pair pair(driver);
    TcpTransport& tcp = *pair.clientTransport().as<TcpTransport>();
    CHECK_THROWS_AS(tcp.setTcpKeepAlive(KeepAlive{.count = 0}), std::invalid_argument);
    CHECK_FALSE(tcp.getTcpKeepAlive());
    CHECK_THROWS_AS(tcp.setTcpUserTimeout(-1ms), std::invalid_argument);
    tcp.setTcpKeepAlive(KeepAlive{.idle = 32767s, .interval = 32767s, .count = 127});
    tcp.setTcpUserTimeout(2'147'483'647ms);
}

CONFORMANCE_CASE("A16 (S-39): pausing in connectionMade keeps every byte back until resumeProducing") {
    Pair pair(driver, Pair::kLater);
    pair.client->onMade = [&] { pair.clientTransport().pauseProducing(); };
    pair.server->onMade = [&] { pair.serverTransport().write("hello"); };
    pair.connect();
    driver.turns();
    CHECK(pair.client->received.empty());
    pair.clientTransport().resumeProducing();
    driver.runUntil([&] { return pair.client->received == "hello"; });
}

CONFORMANCE_CASE("A17 (S-24): after any number of pauses and resumes the last one counts") {
    Pair pair(driver);
    Transport& transport = pair.clientTransport();
    for (int i = 0; i < 5; ++i) {
        transport.pauseProducing();
        transport.pauseProducing();
        transport.resumeProducing();
        CHECK(transport.isReading());
        transport.resumeProducing();
        transport.pauseProducing();
        CHECK_FALSE(transport.isReading());
    }
    pair.serverTransport().write("later");
    driver.turns();
    CHECK(pair.client->received.empty());
    transport.resumeProducing();
    driver.runUntil([&] { return pair.client->received == "later"; });
}

CONFORMANCE_CASE("A18 (S-24): resumeProducing on a connected server transport turns reading on") {
    Pair pair(driver);
    pair.serverTransport().resumeProducing();
    CHECK(pair.serverTransport().isReading());
    pair.clientTransport().write("hello");
    driver.runUntil([&] { return pair.server->received == "hello"; });
}

CONFORMANCE_CASE("A19 (S-24, S-29): resumeProducing after loseConnection delivers nothing more") {
    Pair pair(driver);
    pair.serverTransport().loseConnection();
    pair.serverTransport().resumeProducing();
    CHECK_FALSE(pair.serverTransport().isReading());
    pair.clientTransport().write("too late");
    pair.runUntilLost();
    CHECK(pair.server->received.empty());
}

CONFORMANCE_CASE("A20 (S-24): resumeProducing on a lost connection does nothing") {
    Pair pair(driver);
    pair.client->onLost = [&](const Failure&) {
        pair.clientTransport().resumeProducing();
        CHECK_FALSE(pair.clientTransport().isReading());
    };
    pair.clientTransport().loseConnection();
    pair.runUntilLost();
    pair.clientTransport().resumeProducing();
    CHECK_FALSE(pair.clientTransport().isReading());
    driver.turns();
    CHECK(pair.client->lostCount == 1);
}

CONFORMANCE_CASE("A21 (S-38): what the peer wrote before it closed, and then the loss, arrive after a pause") {
    Pair pair(driver, kQuickServer);
    pair.clientTransport().pauseProducing();
    pair.serverTransport().write("the end");
    pair.serverTransport().loseConnection();
    driver.runUntil([&] { return pair.server->lost(); });
    driver.turns();
    CHECK(pair.client->received.empty());
    CHECK_FALSE(pair.client->lost());
    pair.clientTransport().resumeProducing();
    driver.runUntil([&] { return pair.client->lost(); });
    CHECK(pair.client->received == "the end");
    CHECK(pair.client->reason.check<ConnectionDone>());
}

CONFORMANCE_CASE("A22: both ends of a connection name the same addresses, which are the port's") {
    Pair pair(driver);
    CHECK(pair.clientTransport().getPeer() == pair.port->getHost());
    CHECK(pair.serverTransport().getHost() == pair.port->getHost());
    CHECK(pair.serverTransport().getPeer() == pair.clientTransport().getHost());
    CHECK(pair.clientTransport().getHost().host() == driver.loopback());
    CHECK(pair.clientTransport().getHost().port() != pair.port->getHost().port());
}

CONFORMANCE_CASE(
    "A24 (S-31): 5 MB and loseConnection arrive whole, though input is queued and the peer goes on sending") {
    Pair pair(driver, Pair::kLater);
    const std::string all = pattern(5 * 1000 * 1000);
    const std::string chatter(1000, 'x');
    pair.server->onMade = [&] { pair.serverTransport().pauseProducing(); };
    pair.client->onMade = [&] { pair.clientTransport().write(std::string(500'000, 'x')); };
    pair.client->onData = [&](std::string_view) { pair.clientTransport().write(chatter); };
    pair.connect();
    driver.turns(); // the peer's bytes wait in the kernel now, and none is ever delivered
    pair.serverTransport().write(all);
    pair.serverTransport().loseConnection();
    pair.runUntilLost();
    CHECK((pair.client->received == all));
    CHECK(pair.client->reason.check<ConnectionDone>());
    CHECK(pair.server->reason.check<ConnectionDone>());
    CHECK(pair.server->received.empty());
}

CONFORMANCE_CASE("A25 (S-30): a close whose peer never reads is aborted when its time is over, and told once") {
    Pair pair(driver, {.server = {.close = CloseLimits{.stalled = 50ms}}});
    fillOutput(driver, pair.serverTransport(), pair.clientTransport());
    pair.serverTransport().loseConnection();
    pair.runUntilLost();
    driver.turns();
    CHECK(pair.server->reason.check<ConnectionAborted>());
    CHECK(pair.server->lostCount == 1);
    CHECK(pair.client->reason.check<ConnectionLost>());
    CHECK(driver.reactor().stats().bufferedBytes == 0);
}

CONFORMANCE_CASE("A26 (S-5): bytes written after loseConnection never reach the peer, and are counted") {
    Pair pair(driver);
    pair.serverTransport().write("before");
    pair.serverTransport().loseConnection();
    pair.serverTransport().write("after");
    pair.serverTransport().loseConnection();
    pair.serverTransport().write(std::string(100'000, 'x'));
    pair.runUntilLost();
    CHECK(pair.client->received == "before");
    CHECK(driver.reactor().stats().droppedBytes == 100'005);
}

CONFORMANCE_CASE("A27 (S-37): when the reactor ends, a paused connection is lost once, and so for its factory") {
    Pair pair(driver);
    pair.clientTransport().pauseProducing();
    pair.serverTransport().pauseProducing();
    driver.turns();
    driver.destroyReactor();
    CHECK(pair.client->lostCount == 1);
    CHECK(pair.server->lostCount == 1);
    CHECK(pair.client->reason.check<ConnectionLost>());
    CHECK(pair.log.count("factory lost ConnectionLost") == 1);
    CHECK(pair.log.count("factory stopped") == 1);
}
