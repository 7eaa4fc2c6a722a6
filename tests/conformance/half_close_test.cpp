// Acceptance D: closing one direction.

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "support/log_capture.hpp"

#include <reactor/errors.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

using namespace torsion;
using namespace torsion::test;

namespace {

struct Bug : std::runtime_error {
    Bug() : std::runtime_error("a bug in the protocol") {}
};

} // namespace

CONFORMANCE_CASE("D1 (S-53, S-54): after loseWriteConnection the peer reads to the end, and we still receive") {
    Pair pair(driver);
    pair.server->halfCloseable = true;
    pair.server->onReadLost = [&] { pair.serverTransport().write("answer to " + pair.server->received); };
    pair.clientTransport().write("question");
    pair.clientTransport().loseWriteConnection();
    pair.clientTransport().write("dropped");
    driver.runUntil([&] { return pair.client->received == "answer to question"; });
    CHECK(pair.server->readLost);
    CHECK_FALSE(pair.server->lost());
    CHECK_FALSE(pair.client->lost());
}

CONFORMANCE_CASE("D2 (S-53): writeConnectionLost comes when everything was sent, and not before") {
    Pair pair(driver);
    pair.server->halfCloseable = true;
    const std::size_t written = fillOutput(driver, pair.clientTransport(), pair.serverTransport());
    pair.clientTransport().loseWriteConnection();
    driver.turns();
    CHECK_FALSE(pair.client->writeLost);
    pair.serverTransport().resumeProducing();
    driver.runUntil([&] { return pair.server->readLost; });
    CHECK(pair.server->receivedBytes == written);
    CHECK(pair.client->writeLost);
    CHECK(pair.log.count("client write lost") == 1);
}

CONFORMANCE_CASE("D3 (S-52): a protocol that does not care for half-closing loses the connection at the peer's end") {
    Pair pair(driver);
    pair.clientTransport().loseWriteConnection();
    pair.runUntilLost();
    CHECK(pair.server->reason.check<ConnectionDone>());
    CHECK(pair.client->reason.check<ConnectionDone>());
}

CONFORMANCE_CASE("D4 (S-59): loseWriteConnection when the peer is gone is silent") {
    const LogCapture log;
    Pair pair(driver);
    pair.clientTransport().pauseProducing(); // so that the end is not noticed
    pair.serverTransport().abortConnection();
    pair.clientTransport().loseWriteConnection();
    pair.runUntilLost();
    CHECK(pair.client->lostCount == 1);
    CHECK(log.count(spdlog::level::warn) == 0);
}

CONFORMANCE_CASE("D5 (S-58): what readConnectionLost throws is logged, and drops the connection") {
    const LogCapture log;
    Pair pair(driver);
    pair.server->halfCloseable = true;
    pair.server->onReadLost = [] { throw Bug(); };
    pair.clientTransport().loseWriteConnection();
    pair.runUntilLost();
    CHECK(pair.server->reason.check<Bug>());
    CHECK(pair.server->lostCount == 1);
    CHECK(log.contains("a bug in the protocol"));
}

CONFORMANCE_CASE("D6 (S-58): what writeConnectionLost throws is logged, and drops the connection") {
    const LogCapture log;
    Pair pair(driver);
    pair.server->halfCloseable = true;
    pair.client->onWriteLost = [] { throw Bug(); };
    pair.clientTransport().loseWriteConnection();
    driver.runUntil([&] { return pair.client->lost(); });
    CHECK(pair.client->reason.check<Bug>());
    CHECK(pair.client->lostCount == 1);
    CHECK(log.contains("a bug in the protocol"));
}

CONFORMANCE_CASE("D7 (S-57): loseConnection in writeConnectionLost, the peer's end seen, closes in a later phase") {
    Pair pair(driver);
    pair.server->halfCloseable = true;
    pair.server->onReadLost = [&] { pair.serverTransport().loseWriteConnection(); };
    pair.server->onWriteLost = [&] {
        pair.serverTransport().loseConnection();
        CHECK_FALSE(pair.server->lost());
    };
    pair.clientTransport().loseWriteConnection();
    pair.runUntilLost();
    CHECK(pair.log.inOrder("server read lost", "server write lost"));
    CHECK(pair.log.inOrder("server write lost", "server lost ConnectionDone"));
    CHECK(pair.server->lostCount == 1);
}

CONFORMANCE_CASE("D8 (S-56): both directions closed is the end of the connection, without loseConnection") {
    Pair pair(driver);
    pair.server->halfCloseable = true;
    pair.client->halfCloseable = true;
    pair.server->onReadLost = [&] { pair.serverTransport().loseWriteConnection(); };
    pair.clientTransport().loseWriteConnection();
    pair.runUntilLost();
    CHECK(pair.server->reason.check<ConnectionDone>());
    CHECK(pair.client->reason.check<ConnectionDone>());
    CHECK(pair.log.inOrder("client write lost", "client read lost"));
    CHECK(pair.log.inOrder("client read lost", "client lost ConnectionDone"));
}

CONFORMANCE_CASE("D9 (S-37, S-55): a half-closed idle connection is lost once when the reactor ends") {
    Pair pair(driver);
    pair.server->halfCloseable = true;
    pair.clientTransport().loseWriteConnection();
    driver.runUntil([&] { return pair.server->readLost && pair.client->writeLost; });
    pair.clientTransport().pauseProducing();
    driver.turns();
    driver.destroyReactor();
    CHECK(pair.server->lostCount == 1);
    CHECK(pair.client->lostCount == 1);
}
