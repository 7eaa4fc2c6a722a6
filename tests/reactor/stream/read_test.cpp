// What the reads of a Stream give, and what they leave.

#include "stream_pair.hpp"

#include <reactor/random.hpp>

#include <chrono>
#include <string>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

Deferred<void> readParts(Stream& conn, Trace& trace) {
    trace.push_back(co_await conn.readUntil("\r\n"));
    trace.push_back(co_await conn.readExactly(5));
    trace.push_back(co_await conn.readUntil("--"));
    trace.push_back(co_await conn.readExactly(0));
    trace.push_back(co_await conn.readSome(2));
    trace.push_back(co_await conn.readAll(100));
    trace.push_back(co_await conn.readSome());
}

Deferred<void> readLines(Stream& conn, Trace& trace) {
    for (;;)
        trace.push_back(co_await conn.readUntil("\r\n"));
}

} // namespace

TEST_CASE("readUntil, readExactly, readSome and readAll cut the bytes as asked, however they arrive") {
    const std::string text = "first\r\n01234a-b--xyz\r\n--the rest";
    const Trace wanted{"first", "01234", "a-b", "", "xy", "z\r\n--the rest", ""};
    for (int seed = -2; seed < 20; ++seed) {
        CAPTURE(seed);
        testing::MemoryLimits limits;
        if (seed == -1)
            limits = testing::byteByByte();
        else if (seed >= 0)
            limits.cuts = static_cast<std::uint64_t>(seed);
        StreamPair pair;
        pair.reactor.network().setLimits(limits);
        Trace trace;
        Deferred<void> done = readParts(*pair, trace);
        pair.receive(text);
        pair.receiveEnd();
        CHECK(done.hasResult());
        // What readSome gives depends on the cuts; with the rest it is the same.
        if (trace.size() == wanted.size() && trace[4].size() == 1)
            trace = {trace[0], trace[1], trace[2], trace[3], trace[4] + trace[5].substr(0, 1), trace[5].substr(1), ""};
        CHECK(trace == wanted);
        CHECK(resultOf(std::move(done)) == "ok");
    }
}

TEST_CASE("what is there already needs no waiting, in order and without the loop") {
    StreamPair pair;
    pair.receive("one\ntwo\nthree");
    CHECK(valueOf(pair->readUntil("\n")) == "one");
    CHECK(valueOf(pair->readSome(2)) == "tw");
    CHECK(valueOf(pair->readExactly(1)) == "o");
    CHECK(valueOf(pair->readUntil("\n")).empty());
    CHECK(valueOf(pair->readSome()) == "three");
    CHECK(resultOf(pair->readSome()) == "none");
}

TEST_CASE("one event may serve many reads of a coroutine") {
    StreamPair pair;
    Trace trace;
    Deferred<void> done = readLines(*pair, trace);
    pair.receive("a\r\nb\r\n\r\nc\r");
    CHECK(trace == Trace{"a", "b", ""});
    pair.receive("\nrest");
    CHECK(trace.back() == "c");
    pair.receiveEnd();
    CHECK(resultOf(std::move(done)) == "ConnectionDone");
    CHECK(valueOf(pair->readAll(100)) == "rest");
}

TEST_CASE("readUntil fails as soon as no delimiter can come within the limit, and loses nothing") {
    StreamPair pair;
    Deferred<std::string> line = pair->readUntil("\r\n", 4);
    pair.receive("abcd\r");
    CHECK_FALSE(line.hasResult());
    pair.receive("x");
    CHECK(resultOf(std::move(line)) == "ReadLimitError");
    CHECK(resultOf(pair->readUntil("\r\n", 3)) == "ReadLimitError");
    Deferred<std::string> longer = pair->readUntil("\r\n", 6);
    CHECK_FALSE(longer.hasResult());
    pair.receive("\r\nnext");
    CHECK(valueOf(std::move(longer)) == "abcd\rx");
    CHECK(valueOf(pair->readSome()) == "next");

    SUBCASE("a line of exactly the limit fits, also when it is there already") {
        pair.receive("abcd\r\nabcde\r\n\r\n");
        CHECK(valueOf(pair->readUntil("\r\n", 4)) == "abcd");
        CHECK(resultOf(pair->readUntil("\r\n", 4)) == "ReadLimitError");
        CHECK(valueOf(pair->readExactly(7)) == "abcde\r\n");
        CHECK(valueOf(pair->readUntil("\r\n", 0)).empty());
    }
    SUBCASE("the limit that is not named is the stream's, which can be set") {
        CHECK(pair->limits().until == 64 * 1024);
        pair->setLimits({.until = 3});
        pair.receive("abcdef");
        CHECK(resultOf(pair->readUntil("\n")) == "ReadLimitError");
    }
}

TEST_CASE("readAll fails beyond its limit, and loses nothing") {
    StreamPair pair;
    Deferred<std::string> all = pair->readAll(4);
    pair.receive("1234");
    CHECK_FALSE(all.hasResult());
    pair.receive("5");
    CHECK(resultOf(std::move(all)) == "ReadLimitError");
    Deferred<std::string> again = pair->readAll(6);
    pair.receive("6");
    pair.receiveEnd();
    CHECK(valueOf(std::move(again)) == "123456");
    CHECK(valueOf(pair->readAll(0)).empty());
}

TEST_CASE("cancelling a read loses no byte, and the stream can be read on") {
    StreamPair pair;
    Deferred<std::string> line = pair->readUntil("\n");
    pair.receive("ab");
    line.cancel();
    CHECK(resultOf(std::move(line)) == "CancelledError");
    pair.receive("c\nd");
    CHECK(valueOf(pair->readUntil("\n")) == "abc");
    Deferred<std::string> some = pair->readExactly(2);
    some.cancel();
    CHECK(resultOf(std::move(some)) == "CancelledError");
    CHECK(valueOf(pair->readSome()) == "d");
}

TEST_CASE("a time limit on a read gives a TimeoutError and loses no byte") {
    StreamPair pair;
    Deferred<std::string> number = pair->readExactly(4).addTimeout(30s, pair->reactor());
    pair.receive("12");
    pair.reactor.advance(29s);
    CHECK_FALSE(number.hasResult());
    pair.reactor.advance(1s);
    CHECK(resultOf(std::move(number)) == "TimeoutError");
    pair.receive("34");
    CHECK(valueOf(pair->readExactly(4)) == "1234");
    CHECK(pair.reactor.getDelayedCalls().empty());
}

TEST_CASE("a read that waits allows no other one") {
    StreamPair pair;
    Deferred<std::string> first = pair->readUntil("\n");
    CHECK_THROWS_AS(pair->readSome().detach(), std::logic_error);
    CHECK_THROWS_AS(pair->readAll(1).detach(), std::logic_error);
    pair.receive("a\nb");
    CHECK(valueOf(std::move(first)) == "a");
    CHECK(valueOf(pair->readSome()) == "b");
}

TEST_CASE("reads that can never work throw") {
    StreamPair pair;
    CHECK_THROWS_AS(pair->readUntil("").detach(), std::invalid_argument);
    CHECK_THROWS_AS(pair->readSome(0).detach(), std::invalid_argument);
    CHECK_THROWS_AS(pair->setLimits({.ahead = 0}), std::invalid_argument);
}

TEST_CASE("what nobody asks for is not read beyond the limit, and is all there later") {
    StreamPair pair;
    pair.reactor.network().setLimits({.maxReceive = 1024});
    pair->setLimits({.ahead = 10'000});
    std::string text;
    for (int i = 0; text.size() < 1'000'000; ++i)
        text += std::to_string(i) + ",";
    pair.receive(text);
    CHECK_FALSE(pair->transport().isReading());
    CHECK(pair.reactor.stats().bytesReceived < 10'000 + 1024);
    CHECK(pair.peer->transport->bufferedBytes() > 0);

    // One that needs more than that reads on.
    Deferred<std::string> much = pair->readExactly(500'000);
    pair.reactor.settle();
    std::string got = valueOf(std::move(much));
    Deferred<std::string> rest = pair->readAll(1'000'000);
    pair.receiveEnd();
    got += valueOf(std::move(rest));
    CHECK(got == text);
}

TEST_CASE("the end of the input: readSome is empty, the others fail with ConnectionDone and leave what is there") {
    StreamPair pair;
    Deferred<std::string> line = pair->readUntil("\n");
    pair.receive("half a line");
    pair.receiveEnd();
    std::string message;
    std::move(line)
        .addCallback([](const std::string&) {})
        .addErrback([&](const Failure& failure) {
            failure.trap<ConnectionDone>();
            message = failure.getErrorMessage();
        })
        .detach();
    CHECK(message == "The input ended, with 11 bytes left, before the delimiter.");
    CHECK(resultOf(pair->readExactly(12)) == "ConnectionDone");
    CHECK(valueOf(pair->readExactly(11)) == "half a line");
    CHECK(resultOf(pair->readExactly(1)) == "ConnectionDone");
    CHECK(valueOf(pair->readExactly(0)).empty());
    CHECK(valueOf(pair->readSome()).empty());
    CHECK(valueOf(pair->readSome()).empty());
    CHECK(resultOf(pair->write("still open")) == "ok");
    CHECK(pair.sent() == "still open");
}

TEST_CASE("after a reset what arrived before can be read; then reads fail with the reason") {
    StreamPair pair;
    pair.receive("before");
    pair.receiveReset();
    CHECK(resultOf(pair->readUntil("\n")) == "ConnectionLost");
    CHECK(resultOf(pair->readAll(100)) == "ConnectionLost");
    CHECK(valueOf(pair->readSome(3)) == "bef");
    CHECK(valueOf(pair->readExactly(3)) == "ore");
    CHECK(resultOf(pair->readSome()) == "ConnectionLost");

    StreamPair other;
    Deferred<std::string> waiting = other->readSome();
    other.receiveReset();
    CHECK(resultOf(std::move(waiting)) == "ConnectionLost");
}

TEST_CASE("long lines and many short ones are read in linear time and memory") {
    StreamPair pair;
    pair.reactor.network().setLimits({.maxReceive = 100});
    pair->setLimits({.until = 200'000});
    Deferred<std::string> line = pair->readUntil("\r\n");
    pair.receive(std::string(150'000, '\r') + "\r\n");
    CHECK(valueOf(std::move(line)).size() == 150'000);
    std::string lines;
    for (int i = 0; i < 10'000; ++i)
        lines += "x\r\n";
    pair.receive(lines);
    pair.receiveEnd();
    Trace trace;
    Deferred<void> done = readLines(*pair, trace);
    pair.reactor.settle();
    CHECK(trace.size() == 10'000);
    CHECK(resultOf(std::move(done)) == "ConnectionDone");
}
