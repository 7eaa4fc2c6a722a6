// Streams over real sockets.

#include <reactor/deferred.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/listening_port.hpp>
#include <reactor/stream.hpp>

#include "stream_talk.hpp"
#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include "support/run_until.hpp"
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSize = 20'000'000;

Deferred<void> answerOnce(Stream conn) {
    const std::string line = co_await conn.readUntil("\n");
    co_await conn.write(line);
}

Deferred<std::string> askOnce(Reactor& reactor, int port, std::string question) {
    Stream conn = co_await connectStream(reactor, "127.0.0.1", port);
    co_await conn.write(question + "\n");
    co_return co_await conn.readAll(100);
}

Deferred<std::string> readWithLimit(Reactor& reactor, int port) {
    Stream conn = co_await connectStream(reactor, "127.0.0.1", port);
    try {
        co_await conn.readUntil("\n").addTimeout(1ms, reactor);
    } catch (const TimeoutError&) {
        co_return "late";
    }
    co_return "in time";
}

} // namespace

TEST_CASE("streams on UvReactor carry much data both ways, with back-pressure, to an orderly end") {
    std::string data;
    while (data.size() < kSize)
        data += std::to_string(data.size()) + ",";
    for (const Dispatch dispatch : {Dispatch::Direct, Dispatch::TwoPhase}) {
        UvReactor reactor(ReactorOptions{.dispatch = dispatch});
        const auto port = serveStreams(reactor, 0, echo, {.listen = {.interface = "127.0.0.1"}});
        Deferred<std::string> all = exchange(reactor, port->getHost().port(), data);
        REQUIRE(runUntil(reactor, [&] { return all.hasResult(); }));
        CHECK(valueOf(std::move(all)) == data);
        REQUIRE(runUntil(reactor, [&] { return reactor.stats().connections == 0; }));
    }
}

TEST_CASE("on UvReactor, too, no more handlers run than asked for, and all connections are served") {
    UvReactor reactor;
    const auto port = serveStreams(reactor, 0, answerOnce, {.listen = {.interface = "127.0.0.1"}, .maxHandlers = 2});
    std::vector<Deferred<std::string>> answers;
    for (int i = 0; i < 20; ++i)
        answers.push_back(askOnce(reactor, port->getHost().port(), std::to_string(i)));
    for (int i = 0; i < 20; ++i) {
        Deferred<std::string>& answer = answers[static_cast<std::size_t>(i)];
        REQUIRE(runUntil(reactor, [&] { return answer.hasResult(); }));
        CHECK(valueOf(std::move(answer)) == std::to_string(i));
    }
}

TEST_CASE("on UvReactor a read has a time limit, and the reactor may be destroyed under coroutines") {
    const LogCapture log; // exchange() lets go of one of two that fail
    Trace trace;
    const std::string data(kSize, 'x');
    {
        UvReactor reactor;
        const auto port = serveStreams(reactor, 0, echo, {.listen = {.interface = "127.0.0.1"}});
        Deferred<std::string> late = readWithLimit(reactor, port->getHost().port());
        REQUIRE(runUntil(reactor, [&] { return late.hasResult(); }));
        CHECK(valueOf(std::move(late)) == "late");
        traceResult(exchange(reactor, port->getHost().port(), data), trace);
        runTurns(reactor, 5);
    }
    CHECK(trace.size() == 1);
}
