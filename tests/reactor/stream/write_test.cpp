// What the writes of a Stream wait for.

#include "stream_pair.hpp"

#include <chrono>
#include <string>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

Deferred<void> sayHello(Stream& conn) {
    const std::string name = co_await conn.readUntil("\n");
    co_await conn.write("Hello, ");
    co_await conn.write(name);
    co_await conn.write(std::string("."));
}

/// Writes `count` blocks, each when the one before allows.
Deferred<void> writeBlocks(Stream& conn, int count, std::size_t& most) {
    for (int i = 0; i < count; ++i) {
        Deferred<void> written = conn.write(std::string(10'000, static_cast<char>('a' + i % 26)));
        most = std::max(most, conn.transport().bufferedBytes());
        co_await std::move(written);
    }
}

} // namespace

TEST_CASE("what a coroutine writes after one read leaves in one send") {
    StreamPair pair;
    Deferred<void> done = sayHello(*pair);
    const auto sends = [&] { return pair.reactor.faults().count(testing::Operation::Send); };
    pair.peer->transport->write("Ada\n");
    pair.peer->transport->flush();
    const auto before = sends();
    CHECK(pair.sent() == "Hello, Ada.");
    CHECK(sends() == before + 1);
    CHECK(resultOf(std::move(done)) == "ok");
}

TEST_CASE("bytes of every kind are taken when write returns") {
    StreamPair pair;
    std::string text = "lvalue ";
    const std::string constant = "constant ";
    std::string large(100'000, 'z');
    CHECK(resultOf(pair->write(text)) == "ok");
    text = "changed";
    CHECK(resultOf(pair->write(constant)) == "ok");
    CHECK(resultOf(pair->write("literal ")) == "ok");
    CHECK(resultOf(pair->write(std::string_view("view "))) == "ok");
    CHECK(resultOf(pair->write("")) == "ok");
    const Deferred<void> written = pair->write(std::move(large));
    CHECK(pair.sent() == "lvalue constant literal view " + std::string(100'000, 'z'));
    CHECK(written.hasResult());
}

TEST_CASE("a write above the high-water mark waits until the peer has read") {
    StreamPair pair;
    Deferred<void> waiting = fill(pair);
    const std::size_t high = WriteBufferLimits{}.high;
    CHECK(pair->transport().bufferedBytes() > high);
    CHECK(pair->transport().bufferedBytes() <= high + 16 * 1024);
    pair.peer->transport->resumeProducing();
    pair.reactor.settle();
    CHECK(resultOf(std::move(waiting)) == "ok");
    CHECK(resultOf(pair->write("on")) == "ok");
}

TEST_CASE("a coroutine that writes for ever keeps no more than the mark and one write in memory") {
    StreamPair pair({.stream = {.writeBuffer = {.high = 30'000, .low = 10'000}}});
    pair.reactor.network().setLimits({.capacity = 4096});
    std::size_t most = 0;
    Deferred<void> done = writeBlocks(*pair, 1000, most);
    pair.reactor.settle();
    CHECK(resultOf(std::move(done)) == "ok");
    CHECK(most <= 40'000);
    CHECK(most > 30'000);
    CHECK(pair.sent().size() == 10'000'000);
}

TEST_CASE("a write that waits allows no other one; a read may wait beside it") {
    StreamPair pair;
    Deferred<void> waiting = fill(pair);
    CHECK_THROWS_AS(pair->write("x").detach(), std::logic_error);
    CHECK_THROWS_AS(pair->writeAll("x").detach(), std::logic_error);
    Deferred<std::string> line = pair->readUntil("\n");
    pair.receive("answer\n");
    CHECK(valueOf(std::move(line)) == "answer");
    CHECK_FALSE(waiting.hasResult());
    waiting.cancel();
    CHECK(resultOf(std::move(waiting)) == "CancelledError");
}

TEST_CASE("cancelling a write ends the waiting; its bytes are sent, and the next may come") {
    StreamPair pair;
    Deferred<void> waiting = fill(pair).addTimeout(1s, pair.reactor);
    pair.reactor.advance(1s);
    CHECK(resultOf(std::move(waiting)) == "TimeoutError");
    const std::size_t buffered = pair->transport().bufferedBytes();
    Deferred<void> next = pair->write("the end");
    CHECK_FALSE(next.hasResult());
    CHECK(pair->transport().bufferedBytes() == buffered + 7);
    pair.peer->transport->resumeProducing();
    pair.reactor.settle();
    CHECK(resultOf(std::move(next)) == "ok");
    CHECK(pair.sent().ends_with("xthe end"));
}

TEST_CASE("a connection that is lost fails the write that waits, and all later ones, with the reason") {
    StreamPair pair;
    Deferred<void> waiting = fill(pair);
    pair.receiveReset();
    CHECK(resultOf(std::move(waiting)) == "ConnectionLost");
    CHECK(resultOf(pair->write("x")) == "ConnectionLost");
    CHECK(resultOf(pair->writeAll("x")) == "ConnectionLost");
    CHECK(resultOf(pair->drain()) == "ConnectionLost");
}

TEST_CASE("a write beyond the hard limit fails with WriteLimitError") {
    StreamPair pair({.stream = {.writeBuffer = {.high = 1024, .low = 0, .hard = 2048}}});
    pair.peer->transport->pauseProducing();
    Deferred<void> impatient = pair->write(std::string(200'000, 'x'));
    impatient.cancel();
    CHECK(resultOf(std::move(impatient)) == "CancelledError");
    Deferred<void> waiting = pair->write("one too many");
    pair.reactor.settle();
    CHECK(resultOf(std::move(waiting)) == "WriteLimitError");
}

TEST_CASE("writeAll and drain fire when the kernel has everything") {
    StreamPair pair;
    CHECK(resultOf(pair->writeAll("small")) == "ok");
    CHECK(pair->transport().bufferedBytes() == 0);
    pair.peer->transport->pauseProducing();
    Deferred<void> all = pair->writeAll(std::string(150'000, 'x'));
    Deferred<void> drained = pair->drain();
    pair.reactor.settle();
    CHECK_FALSE(all.hasResult());
    pair.peer->transport->resumeProducing();
    pair.reactor.settle();
    CHECK(resultOf(std::move(all)) == "ok");
    CHECK(resultOf(std::move(drained)) == "ok");
}

TEST_CASE("shutdownWrite ends our direction after what was written; reading goes on") {
    StreamPair pair;
    Deferred<void> waiting = fill(pair);
    pair->shutdownWrite();
    pair->shutdownWrite();
    CHECK(resultOf(pair->write("late")) == "ConnectionDone");
    CHECK(resultOf(pair->writeAll("late")) == "ConnectionDone");
    CHECK_FALSE(waiting.hasResult());
    pair.peer->transport->resumeProducing();
    pair.reactor.settle();
    CHECK(resultOf(std::move(waiting)) == "ok");
    CHECK(pair.peer->events == "end ");
    CHECK(pair.sent().find("late") == std::string::npos);
    Deferred<std::string> answer = pair->readAll(100);
    pair.receive("all of it");
    pair.receiveEnd();
    CHECK(valueOf(std::move(answer)) == "all of it");
    CHECK(resultOf(pair->close()) == "ok"); // both directions have ended already
}
