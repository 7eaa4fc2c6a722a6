// What the writes of a Stream wait for.

#include "stream_pair.hpp"

#include <cerrno>
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

/// Writes while that goes on, at most so many blocks. @returns the number of blocks.
Deferred<int> writeOn(Stream& conn, int most, std::size_t size, const bool& enough) {
    int count = 0;
    const std::string block(size, 'x');
    try {
        while (!enough && count < most) {
            ++count;
            co_await conn.write(block);
        }
    } catch (const ConnectionLost&) {
        count += 1'000'000;
    }
    co_return count;
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

TEST_CASE("a coroutine that writes for ever hears that sending has failed, when the loss is told") {
    for (const std::size_t size : {std::size_t(100), std::size_t(10'000)}) {
        CAPTURE(size);
        StreamPair pair;
        const bool never = false;
        pair.reactor.faults().failNth(testing::Operation::Send, 3, EPIPE);
        Deferred<int> count = writeOn(*pair, 100'000, size, never);
        pair.reactor.settle();
        CHECK_FALSE(count.hasResult());
        pair.receiveReset();
        REQUIRE(count.hasResult());
        const int blocks = valueOf(std::move(count)) - 1'000'000;
        CHECK(blocks > 0);
        CHECK(blocks < 99'999);
    }
}

TEST_CASE("a write that waits for the loss hears of it, too, when reading has stopped at its limit") {
    StreamPair pair;
    const bool never = false;
    pair->setLimits({.ahead = 10});
    pair.reactor.faults().failNth(testing::Operation::Send, 1, EPIPE);
    Deferred<int> count = writeOn(*pair, 100'000, 10'000, never);
    pair.receive("more than is read ahead");
    REQUIRE(count.hasResult());
    CHECK(valueOf(std::move(count)) == 1'000'001);
}

TEST_CASE("a coroutine whose writes are all taken at once leaves the reactor its turns") {
    StreamPair pair;
    pair.reactor.network().setLimits({.capacity = 100'000'000});
    bool enough = false;
    pair.reactor.callLater(0s, [&] { enough = true; });
    SUBCASE("large writes") {
        Deferred<int> count = writeOn(*pair, 5'000, 10'000, enough);
        pair.reactor.settle();
        const int blocks = valueOf(std::move(count));
        CHECK(blocks > 50);
        CHECK(blocks < 500);
    }
    SUBCASE("empty writes") {
        Deferred<int> count = writeOn(*pair, 50'000, 0, enough);
        pair.reactor.settle();
        CHECK(valueOf(std::move(count)) < 50'000);
    }
    SUBCASE("cancelled where it waits for its turn") {
        Deferred<int> count = writeOn(*pair, 5'000, 10'000, enough);
        count.cancel();
        CHECK(resultOf(std::move(count)) == "CancelledError");
        CHECK(resultOf(pair->write("x")) == "ok");
    }
}
